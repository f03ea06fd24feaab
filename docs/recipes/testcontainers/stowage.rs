// cargo add --dev testcontainers tokio reqwest. The image is the one that `docker build -t stowage .` makes of this repository.
use testcontainers::core::{IntoContainerPort, WaitFor};
use testcontainers::runners::AsyncRunner;
use testcontainers::{ContainerAsync, GenericImage, ImageExt};

/// A server that goes when it is dropped.
pub struct Stowage {
    pub address: String,
    _container: ContainerAsync<GenericImage>,
}

impl Stowage {
    pub async fn start() -> Result<Self, Box<dyn std::error::Error>> {
        let container = GenericImage::new("stowage", "latest")
            .with_exposed_port(8080.tcp())
            .with_wait_for(WaitFor::message_on_stdout("listening on "))
            .with_env_var("STOWAGE_DEV__ENABLED", "true")
            .with_env_var("STOWAGE_DURABILITY", "relaxed")
            .start()
            .await?;
        let address = format!("http://{}:{}", container.get_host().await?, container.get_host_port_ipv4(8080).await?);
        Ok(Self { address, _container: container })
    }

    /// Before each test.
    pub async fn reset(&self) -> Result<(), reqwest::Error> {
        let answer = reqwest::Client::new().post(format!("{}/_dev/reset", self.address)).send().await?;
        answer.error_for_status().map(drop)
    }
}
