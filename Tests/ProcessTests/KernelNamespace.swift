import Foundation

/// A namespace of the kernel without a name: it lives as long as the process that this starts in it. So nothing stays
/// behind, no link and no mount, however the tests end.
final class KernelNamespace {
    enum Kind: String {
        case network = "net"
        case mounts = "mnt"

        fileprivate var option: String { self == .network ? "--net" : "--mount" }
    }

    private let kind: Kind
    private let holder: Companion

    init(_ kind: Kind) throws {
        self.kind = kind
        // Before it has spoken, it is still in the namespace of the tests.
        holder = try Companion(
            ["/usr/bin/env", "unshare", kind.option, "sh", "-c", "echo made; exec cat"], word: "made")
    }

    var pid: Int32 { holder.pid }

    /// Becomes the command that follows it, in this namespace.
    var launcher: [String] { ["/usr/bin/env", "nsenter", "\(kind.option)=/proc/\(pid)/ns/\(kind.rawValue)"] }

    /// The same, in that directory as this namespace sees it. (Among other mounts no directory stays the current one.)
    func launcher(in directory: URL) -> [String] { launcher + ["--wdns=\(directory.path)"] }

    /// Runs a command in here and returns what it printed; its words are what lies between spaces.
    @discardableResult
    func run(_ command: String) throws -> String { try Companion.run(launcher + Self.words(command)) }

    /// Runs a script of the shell in here.
    func shell(_ script: String) throws { try Companion.run(launcher + ["sh", "-c", script]) }

    /// Runs a command where the tests are.
    static func runOutside(_ command: String) throws { try Companion.run(["/usr/bin/env"] + words(command)) }

    private static func words(_ command: String) -> [String] { command.split(separator: " ").map(String.init) }
}
