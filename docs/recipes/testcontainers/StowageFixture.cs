// dotnet add package Testcontainers. The image is the one that `docker build -t stowage .` makes of this repository.
using System;
using System.Net.Http;
using System.Threading.Tasks;
using DotNet.Testcontainers.Builders;
using DotNet.Testcontainers.Containers;

/// <summary>A Stowage for tests: start it once, reset it before each test.</summary>
public sealed class StowageFixture : IAsyncDisposable
{
    private const ushort Port = 8080;
    private static readonly HttpClient Http = new();

    private readonly IContainer container = new ContainerBuilder("stowage")
        .WithEnvironment("STOWAGE_DEV__ENABLED", "true")
        .WithEnvironment("STOWAGE_DURABILITY", "relaxed")
        .WithPortBinding(Port, true)
        .WithWaitStrategy(Wait.ForUnixContainer().UntilHttpRequestIsSucceeded(request => request.ForPort(Port).ForPath("/ready")))
        .Build();

    public string Address => $"http://{container.Hostname}:{container.GetMappedPublicPort(Port)}";

    public Task StartAsync() => container.StartAsync();

    public async Task ResetAsync() => (await Http.PostAsync($"{Address}/_dev/reset", null)).EnsureSuccessStatusCode();

    public ValueTask DisposeAsync() => container.DisposeAsync();
}
