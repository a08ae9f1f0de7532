internal import ArgumentParser
internal import Commands
internal import Foundation
internal import Hummingbird
internal import Logging

/// The HTTP library alone: one answer from memory for every request. What `bench cluster` holds the REST API against, in
/// a process of its own like a node.
struct BenchBareHandlerCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "bare-handler", abstract: "The HTTP library alone, answering with the bytes of a file.",
        shouldDisplay: false, helpNames: CommandLineNames.help)

    @Option(help: "Port on this machine.") var port: Int
    @Option(help: "The file with the body of every answer.") var body: String

    func run() async throws {
        guard let bytes = FileManager.default.contents(atPath: body) else {
            throw ValidationError("--body: \(body) cannot be read")
        }
        let buffer = ByteBuffer(bytes: bytes)
        let responder = CallbackResponder { (_: Request, _: BasicRequestContext) in
            Response(
                status: .ok, headers: [.contentType: "application/json"], body: ResponseBody(byteBuffer: buffer))
        }
        let application = Application(
            responder: responder, configuration: .init(address: .hostname("127.0.0.1", port: port)),
            logger: Logger(label: "bare-handler") { _ in SwiftLogNoOpLogHandler() })
        try await application.run()
    }
}
