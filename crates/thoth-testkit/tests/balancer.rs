//! The load balancer of the tests itself.

use std::io::{Read as _, Write as _};
use std::net::{Ipv4Addr, TcpListener, TcpStream};

use thoth_testkit::balancer::Balancer;

/// Defends: connections go round, one that is refused goes to the next, and one whose server dies is never tried elsewhere.
#[test]
fn connections_go_round_and_are_not_sent_twice() {
    let servers = [(); 3].map(|()| TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap());
    let addresses = servers.each_ref().map(|server| server.local_addr().unwrap());
    let [first, second, third] = servers;
    drop(second);
    let answering = |server: TcpListener, answer: &'static [u8]| {
        std::thread::spawn(move || {
            for mut client in server.incoming().map_while(Result::ok) {
                client.read_exact(&mut [0]).unwrap();
                client.write_all(answer).unwrap();
            }
        })
    };
    // The third reads, and says nothing before it closes.
    let _both = [answering(first, b"1"), answering(third, b"")];
    let balancer = Balancer::start(&addresses).unwrap();
    let ask = || {
        let mut stream = TcpStream::connect(balancer.address()).unwrap();
        stream.write_all(b"?").unwrap();
        let mut text = String::new();
        stream.read_to_string(&mut text).unwrap();
        text
    };
    let heard: Vec<String> = (0..6).map(|_| ask()).collect();
    assert_eq!(heard, ["1", "", "", "1", "", ""]);
    assert_eq!(balancer.given(), [2, 0, 4]);
}
