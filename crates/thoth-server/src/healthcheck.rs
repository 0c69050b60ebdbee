//! `thothd healthcheck`: whether the server of these settings answers, for whatever watches a container without a shell.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::process::ExitCode;
use std::time::Duration;

use clap::Args;
use thoth_api::{Exchange, Timeouts, TlsSettings, Url};
use thoth_shell::exit::{Failure, Outcome};
use thoth_shell::terminal::line;

use crate::options::{Flags, Resolved, SERVING};
use crate::serving::Serving;

/// How long an answer may take.
const PATIENCE: Duration = Duration::from_secs(4);

#[derive(Debug, Args)]
pub(crate) struct HealthArgs {
    /// Ask whether calls can be decided, not only whether the process lives
    #[arg(long)]
    ready: bool,
    #[command(flatten)]
    settings: Flags<SERVING>,
}

pub(crate) fn run(arguments: &HealthArgs) -> Outcome {
    let resolved = Resolved::of(&arguments.settings)?;
    let serving = Serving::of(&resolved)?;
    let address = here(serving.listen);
    if address.port() == 0 {
        return Err(Failure::usage("the system chose the port of the server, and it cannot be known here")
            .hint("give --listen with the address that it told"));
    }
    let scheme = if serving.tls.is_some() { "https" } else { "http" };
    let path = if arguments.ready { "readyz" } else { "healthz" };
    let url = Url::parse(&format!("{scheme}://{address}/{path}")).map_err(Failure::failed)?;
    // The certificate has another name than this address, and nothing is sent that somebody could take.
    let tls = TlsSettings { verify: false, ..TlsSettings::default() };
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(Failure::failed)?;
    let status = runtime.block_on(async {
        let exchange = Exchange::new(url, &tls, Timeouts { connect: PATIENCE, idle: PATIENCE })?;
        Ok::<u16, thoth_api::HttpError>(exchange.get(&[], 1024, PATIENCE).await?.status())
    });
    match status.map_err(Failure::failed)? {
        200 => {
            line(format_args!("{path}: ok"))?;
            Ok(ExitCode::SUCCESS)
        }
        status => Err(Failure::failed(format!("{path}: the server answers with {status}; its own messages say why"))),
    }
}

/// Where this machine reaches a server that listens there.
fn here(listen: SocketAddr) -> SocketAddr {
    let ip = match listen.ip() {
        IpAddr::V4(ip) if ip.is_unspecified() => Ipv4Addr::LOCALHOST.into(),
        IpAddr::V6(ip) if ip.is_unspecified() => Ipv6Addr::LOCALHOST.into(),
        ip => ip,
    };
    SocketAddr::new(ip, listen.port())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_address_is_reached_here() {
        for (listen, expected) in [
            ("0.0.0.0:1", "127.0.0.1:1"),
            ("[::]:1", "[::1]:1"),
            ("10.0.0.1:1", "10.0.0.1:1"),
            ("127.0.0.1:1", "127.0.0.1:1"),
        ] {
            assert_eq!(here(listen.parse().unwrap()).to_string(), expected);
        }
    }
}
