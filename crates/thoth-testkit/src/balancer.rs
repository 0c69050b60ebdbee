//! A load balancer in front of servers on this machine: each connection goes to the next one, and stays there.
//!
//! A server that takes no connection is passed over. What was sent to one is never sent to another: whoever asked hears
//! nothing then, as with any balancer that may not know what a request does.

use std::io;
use std::net::{Ipv4Addr, Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

/// One that runs until the process ends.
#[derive(Debug)]
pub struct Balancer {
    address: SocketAddr,
    given: Arc<[AtomicUsize]>,
}

impl Balancer {
    /// Starts one in front of these servers.
    ///
    /// # Errors
    /// When no port can be listened at.
    pub fn start(servers: &[SocketAddr]) -> io::Result<Self> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
        let address = listener.local_addr()?;
        let given: Arc<[AtomicUsize]> = servers.iter().map(|_| AtomicUsize::new(0)).collect();
        let (servers, counts): (Arc<[SocketAddr]>, _) = (servers.into(), Arc::clone(&given));
        std::thread::spawn(move || {
            for (turn, client) in listener.incoming().map_while(Result::ok).enumerate() {
                let (servers, counts) = (Arc::clone(&servers), Arc::clone(&counts));
                // Either side goes away when it likes.
                std::thread::spawn(move || drop(carry(&client, &servers, &counts, turn)));
            }
        });
        Ok(Self { address, given })
    }

    /// Where it listens.
    #[must_use]
    pub fn address(&self) -> String {
        self.address.to_string()
    }

    /// How many connections each server got.
    #[must_use]
    pub fn given(&self) -> Vec<usize> {
        self.given.iter().map(|count| count.load(Ordering::Relaxed)).collect()
    }
}

fn carry(client: &TcpStream, servers: &[SocketAddr], counts: &[AtomicUsize], turn: usize) -> io::Result<()> {
    let order = (0..servers.len()).map(|step| (turn + step) % servers.len());
    let mut ready = order.filter_map(|at| Some((TcpStream::connect(servers.get(at)?).ok()?, counts.get(at)?)));
    let (server, count) = ready.next().ok_or(io::ErrorKind::ConnectionRefused)?;
    count.fetch_add(1, Ordering::Relaxed);
    for side in [client, &server] {
        side.set_nodelay(true)?;
    }
    std::thread::scope(|scope| {
        scope.spawn(|| {
            drop(io::copy(&mut &*client, &mut &server));
            drop(server.shutdown(Shutdown::Write));
        });
        drop(io::copy(&mut &server, &mut &*client));
        // Nothing more can be answered.
        drop(client.shutdown(Shutdown::Both));
    });
    Ok(())
}
