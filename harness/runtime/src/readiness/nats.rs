//! NATS is ready when it answers PONG to the administrator. The protocol begins in the clear and turns to TLS.

use std::sync::Arc;

use bulkhead_identity::PeerVerifier;
use rustls::ClientConfig;
use rustls::client::Resumption;
use rustls_pki_types::pem::PemObject;
use rustls_pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;

use super::{Readiness, Target};

const HELLO: &[u8] =
    b"CONNECT {\"verbose\":false,\"pedantic\":false,\"tls_required\":true,\"name\":\"readiness\",\"lang\":\"rust\",\"version\":\"1\"}\r\nPING\r\n";

/// One question.
pub(super) async fn ping(
    readiness: &Readiness,
    verifier: &PeerVerifier,
    target: Target<'_>,
) -> Result<(), String> {
    let connection = TcpStream::connect(target.address).await;
    let mut plain = BufReader::new(connection.map_err(|error| format!("cannot connect: {error}"))?);
    let greeting = line(&mut plain).await?;
    if !greeting.starts_with("INFO ") {
        return Err(format!("it greets with `{greeting}`, not as NATS does"));
    }
    let (check, refusal) = verifier.server_cert_verifier();
    let config = config(readiness, check)?;
    let name = ServerName::try_from(target.name.to_string()).map_err(|error| error.to_string())?;
    let secured = TlsConnector::from(Arc::new(config)).connect(name, plain.into_inner()).await;
    let mut secured = BufReader::new(secured.map_err(|error| match refusal.take() {
        Some(refusal) => format!("its certificate is refused: {refusal}"),
        None => format!("the TLS handshake failed: {error}"),
    })?);
    secured.write_all(HELLO).await.map_err(|error| format!("it hung up: {error}"))?;
    loop {
        let said = line(&mut secured).await?;
        match said.as_str() {
            "PONG" => return Ok(()),
            said if said.starts_with("-ERR") => return Err(format!("it refused the administrator: {said}")),
            _ => {}
        }
    }
}

async fn line(stream: &mut (impl tokio::io::AsyncBufRead + Unpin)) -> Result<String, String> {
    let mut line = String::new();
    match stream.read_line(&mut line).await {
        Ok(0) => Err("it hung up".to_owned()),
        Ok(_) => Ok(line.trim_end().to_owned()),
        Err(error) => Err(format!("it hung up: {error}")),
    }
}

fn config(
    readiness: &Readiness,
    check: Arc<dyn rustls::client::danger::ServerCertVerifier>,
) -> Result<ClientConfig, String> {
    let chain = CertificateDer::pem_slice_iter(&readiness.chain).collect::<Result<Vec<_>, _>>();
    let chain = chain.map_err(|error| format!("the administrator's certificate: {error}"))?;
    let key = PrivateKeyDer::from_pem_slice(&readiness.key);
    let key = key.map_err(|error| format!("the administrator's key: {error}"))?;
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let builder =
        ClientConfig::builder_with_provider(provider).with_protocol_versions(&[&rustls::version::TLS13]);
    let builder =
        builder.map_err(|error| error.to_string())?.dangerous().with_custom_certificate_verifier(check);
    let mut config = builder.with_client_auth_cert(chain, key).map_err(|error| error.to_string())?;
    config.resumption = Resumption::disabled();
    Ok(config)
}
