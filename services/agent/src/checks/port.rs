//! Is something listening: a TCP connection is made and closed.

use bulkhead_kit::config::HostPort;
use tokio::net::TcpStream;

pub(super) async fn look(address: &HostPort) -> Result<String, String> {
    match TcpStream::connect((address.host(), address.port())).await {
        Ok(_) => Ok(format!("{address} accepts connections")),
        Err(error) => Err(format!("{address}: {error}")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn it_tells_a_listener_from_none() {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address: HostPort = listener.local_addr().unwrap().to_string().parse().unwrap();
        look(&address).await.unwrap();
        drop(listener);
        let message = look(&address).await.unwrap_err();
        assert!(message.contains("refused"), "{message}");
    }
}
