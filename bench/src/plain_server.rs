//! A web server that sends files as they are, and does nothing else.

use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::thread;

use crate::Outcome;

/// Serves a folder, over loopback, until the program ends.
pub(crate) fn serve_folder(folder: &Path) -> Outcome<SocketAddr> {
    let listener = TcpListener::bind("127.0.0.1:0")?;
    let address = listener.local_addr()?;
    let folder: Arc<PathBuf> = Arc::new(folder.to_owned());
    thread::spawn(move || {
        for stream in listener.incoming().map_while(Result::ok) {
            let folder = Arc::clone(&folder);
            // A client that goes away ends its thread.
            thread::spawn(move || answer(&stream, &folder).unwrap_or(()));
        }
    });
    Ok(address)
}

fn answer(mut stream: &TcpStream, folder: &Path) -> Outcome {
    stream.set_nodelay(true)?;
    let mut input = BufReader::new(stream.try_clone()?);
    loop {
        let mut request = String::new();
        if input.read_line(&mut request)? == 0 {
            return Ok(());
        }
        let mut header = String::new();
        while input.read_line(&mut header)? > 2 {
            header.clear();
        }
        let name = request.split(' ').nth(1).unwrap_or_default().trim_matches('/');
        let (status, body) = match fs::read(folder.join(name)) {
            Ok(body) if !name.contains("..") => ("200 OK", body),
            _ => ("404 Not Found", Vec::new()),
        };
        write!(stream, "HTTP/1.1 {status}\r\ncontent-length: {}\r\n\r\n", body.len())?;
        stream.write_all(&body)?;
    }
}
