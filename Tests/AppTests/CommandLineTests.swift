import ArgumentParser
import Foundation
import Keys
import Testing

@testable import AutoClusterSync
@testable import Executable

@Suite("The command line")
struct CommandLineTests {
    @Test(
        "Every flag is read with one dash and with two, with a blank and with an equals sign", arguments: ["-", "--"])
    func flags(dash: String) async throws {
        let expected = FlagValues(
            config: "c.yaml", port: "3000", db: "/tmp/x", nodeName: "n", serfAddr: "a:1", bindAddr: "a:1",
            transport: "zmq", transportValues: ["publish_addr": "a:2"])
        let pairs = [
            ("config", "c.yaml"), ("port", "3000"), ("db", "/tmp/x"), ("node-name", "n"), ("serf-addr", "a:1"),
            ("bind-addr", "a:1"), ("publish-addr", "a:2"), ("transport", "zmq"),
        ]
        #expect(try await values(pairs.flatMap { ["\(dash)\($0)", $1] }) == expected)
        #expect(try await values(pairs.map { "\(dash)\($0)=\($1)" }) == expected)
        #expect(try await values(["serve"] + pairs.flatMap { ["\(dash)\($0)", $1] }) == expected)
        #expect(try await options(["\(dash)keygen"]).keygen)
    }

    @Test("No arguments at all run a node with the defaults")
    func nothing() async throws {
        #expect(try await values([]) == FlagValues())
    }

    @Test("Help goes to the standard output with status 0, and shows examples", arguments: ["-h", "-help", "--help"])
    func help(flag: String) async {
        let exit = await RootCommand.runHere([flag])
        #expect(exit.status == 0)
        for text in ["-config", "-keygen", "-serf-addr", "-publish-addr", "-transport", "configs/local_1.yaml"] {
            #expect(exit.text.contains(text), "\(text) in \(exit.text)")
        }
    }

    @Test(
        "Wrong flags end with status 2",
        arguments: [
            ["-nope"], ["-port"], ["stray"], ["-port", "1", "-port"], ["-config", "/nonexistent.yaml"], ["-port", "x"],
            ["bench", "store", "--rows", "1"], ["bench", "store", "--seconds", "0"],
            ["clock"], ["clock", "x.db", "--restamp"],
            ["clock", "x.db", "--at", "yesterday"], ["clock", "x.db", "--restamp", "--at", "2999-01-01T00:00:00Z"],
            ["bench", "store", "--only", "all"], ["bench", "store", "--directory", "/nonexistent"],
        ])
    func wrongFlags(arguments: [String]) async {
        let exit = await RootCommand.runHere(arguments)
        #expect(exit.status == 2 && exit.text.hasSuffix("\n"), "\(exit)")
    }

    @Test("All wrong values are told at once")
    func allAtOnce() async {
        let exit = await RootCommand.runHere(["-port", "x", "-transport", "y", "-serf-addr", "z", "-node-name", ""])
        #expect(exit.status == 2)
        #expect(exit.text.split(separator: "\n").count == 4, "\(exit.text)")
    }

    @Test("A failure that is no usage error ends with status 1")
    func otherFailures() {
        let error = HTTPApplicationError.cannotListen(host: "::1", port: 80, reason: "permission denied")
        let exit = RootCommand.exit(for: error)
        #expect(exit == RootCommand.Exit(status: 1, text: "cannot listen for HTTP on [::1]:80: permission denied\n"))
    }

    @Test("-keygen prints a usable key first, as a word of its own, then how to use it")
    func keygen() throws {
        let key = try ClusterKey.random()
        let lines = "\(KeyAnnouncement(key: key))".split(separator: "\n", omittingEmptySubsequences: false)
        #expect(ClusterKey(base64: String(lines[0])) == key)
        #expect(Data(base64Encoded: String(lines[0]))?.count == 32)
        #expect(lines.dropFirst().contains { $0.contains("encrypt_key: \"\(key.base64)\"") })
    }

    private func values(_ arguments: [String]) async throws -> FlagValues { try await options(arguments).values }

    private func options(_ arguments: [String]) async throws -> ServeOptions {
        try await TransportRegistry.with(Main.transports) {
            try #require(RootCommand.parseAsRoot(arguments) as? ServeCommand).options
        }
    }
}
