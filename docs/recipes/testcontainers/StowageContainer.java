// org.testcontainers:testcontainers. The image is the one that `docker build -t stowage .` makes of this repository.
import java.io.IOException;
import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse.BodyHandlers;
import org.testcontainers.containers.GenericContainer;
import org.testcontainers.containers.wait.strategy.Wait;
import org.testcontainers.utility.DockerImageName;

/** A Stowage for tests: {@code start} it once, {@code reset} it before each test. */
public class StowageContainer extends GenericContainer<StowageContainer> {
    private static final int PORT = 8080;

    public StowageContainer() {
        super(DockerImageName.parse("stowage"));
        withEnv("STOWAGE_DEV__ENABLED", "true");
        withEnv("STOWAGE_DURABILITY", "relaxed");
        withExposedPorts(PORT);
        waitingFor(Wait.forHttp("/ready").forPort(PORT));
    }

    public String address() {
        return "http://" + getHost() + ":" + getMappedPort(PORT);
    }

    public void reset() throws IOException, InterruptedException {
        var request = HttpRequest.newBuilder(URI.create(address() + "/_dev/reset")).POST(HttpRequest.BodyPublishers.noBody());
        var answer = HttpClient.newHttpClient().send(request.build(), BodyHandlers.ofString());
        if (answer.statusCode() != 200) {
            throw new IOException(answer.body());
        }
    }
}
