//! Writers of one path at the same time, on every engine.
#![allow(clippy::unwrap_used, reason = "a test that can't go on has failed")]

mod common;

use common::{ENGINES, Form, case};
use futures_util::TryStreamExt;
use object_store::path::Path;
use object_store::{Error, ObjectStore, ObjectStoreExt, PutMode, PutResult, UpdateVersion};

const WRITERS: u8 = 8;

fn body(writer: u8) -> Vec<u8> {
    // In blocks, so that half of one writer's object could be seen with half of another's.
    vec![writer; 300_000 + usize::from(writer)]
}

type Outcomes = Vec<(u8, Result<PutResult, Error>)>;

async fn put_at_once(objects: &kvdag_object_store::Objects, path: &Path, mode: &PutMode) -> Outcomes {
    let writers = (0..WRITERS).map(|writer| {
        let (objects, path, mode) = (objects.clone(), path.clone(), mode.clone());
        let put = async move { objects.put_opts(&path, body(writer).into(), mode.into()).await };
        (writer, tokio::spawn(put))
    });
    let mut outcomes = Vec::new();
    for (writer, task) in writers.collect::<Vec<_>>() {
        outcomes.push((writer, task.await.unwrap()));
    }
    outcomes
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn of_writers_with_one_condition_one_wins() {
    for engine in ENGINES {
        for form in [Form::Plain, Form::AtVersion] {
            let case = case(engine, form);
            let (objects, path) = (&case.objects, Path::from("race"));
            let created = put_at_once(objects, &path, &PutMode::Create).await;
            let winners: Vec<_> = created.iter().filter(|(_, outcome)| outcome.is_ok()).collect();
            assert_eq!(winners.len(), 1, "{}", case.name);
            for (_, outcome) in &created {
                assert!(matches!(outcome, Ok(_) | Err(Error::AlreadyExists { .. })), "{outcome:?}");
            }
            let (writer, Ok(result)) = winners[0] else { panic!() };
            assert_eq!(objects.get(&path).await.unwrap().bytes().await.unwrap(), body(*writer));

            let e_tag = result.e_tag.clone();
            let update = PutMode::Update(UpdateVersion { e_tag, version: None });
            let updated = put_at_once(objects, &path, &update).await;
            let winners: Vec<_> = updated.iter().filter(|(_, outcome)| outcome.is_ok()).collect();
            assert_eq!(winners.len(), 1, "{}", case.name);
            for (_, outcome) in &updated {
                assert!(matches!(outcome, Ok(_) | Err(Error::Precondition { .. })), "{outcome:?}");
            }
            assert_eq!(objects.get(&path).await.unwrap().bytes().await.unwrap(), body(winners[0].0));
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn readers_see_whole_objects_while_writers_replace_and_rename_them() {
    for engine in ENGINES {
        let case = case(engine, Form::Plain);
        let (one, two) = (Path::from("one"), Path::from("two"));
        case.objects.put(&one, body(0).into()).await.unwrap();
        let objects = case.objects.clone();
        let (from, to) = (one.clone(), two.clone());
        let writers = tokio::spawn(async move {
            for round in 1..40 {
                objects.put(&from, body(round).into()).await.unwrap();
                objects.rename(&from, &to).await.unwrap();
                objects.copy(&to, &from).await.unwrap();
            }
        });
        let mut reads = 0;
        loop {
            let last = writers.is_finished();
            for path in [&one, &two] {
                let read = match case.objects.get(path).await {
                    Ok(found) => found.bytes().await.unwrap(),
                    Err(Error::NotFound { .. }) => continue,
                    Err(error) => panic!("{}: {error}", case.name),
                };
                assert_eq!(read, body(read[0]), "{}", case.name);
                reads += 1;
            }
            if last {
                break;
            }
            tokio::task::yield_now().await;
        }
        writers.await.unwrap();
        assert!(reads >= 2, "{}", case.name);
        let listed: Vec<_> = case.objects.list(None).try_collect().await.unwrap();
        assert_eq!(listed.len(), 2);
    }
}
