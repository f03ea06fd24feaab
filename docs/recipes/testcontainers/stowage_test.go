// go get github.com/testcontainers/testcontainers-go. The image is the one that `docker build -t stowage .` makes of this repository.
package stowage

import (
	"context"
	"net/http"
	"testing"

	"github.com/testcontainers/testcontainers-go"
	"github.com/testcontainers/testcontainers-go/wait"
)

// start answers the address of a server that goes with the test.
func start(t *testing.T) string {
	t.Helper()
	ctx := context.Background()
	container, err := testcontainers.Run(ctx, "stowage",
		testcontainers.WithEnv(map[string]string{"STOWAGE_DEV__ENABLED": "true", "STOWAGE_DURABILITY": "relaxed"}),
		testcontainers.WithExposedPorts("8080/tcp"),
		testcontainers.WithWaitStrategy(wait.ForHTTP("/ready").WithPort("8080/tcp")),
	)
	testcontainers.CleanupContainer(t, container)
	if err != nil {
		t.Fatal(err)
	}
	address, err := container.PortEndpoint(ctx, "8080/tcp", "http")
	if err != nil {
		t.Fatal(err)
	}
	return address
}

// reset empties it between tests.
func reset(t *testing.T, address string) {
	t.Helper()
	answer, err := http.Post(address+"/_dev/reset", "application/json", nil)
	if err != nil {
		t.Fatal(err)
	}
	defer answer.Body.Close()
	if answer.StatusCode != http.StatusOK {
		t.Fatal(answer.Status)
	}
}

func TestNothingIsThereAfterAReset(t *testing.T) {
	address := start(t)
	reset(t, address)
}
