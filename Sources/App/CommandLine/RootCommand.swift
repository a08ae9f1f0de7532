internal import ArgumentParser
internal import Commands
internal import Glibc

/// `auto-cluster-sync`: what it runs when no subcommand is named is `ServeCommand`.
struct RootCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "auto-cluster-sync",
        abstract: "A todo service whose instances keep the same data, each in its own SQLite file.",
        version: BuildInfo.version,
        subcommands: [ServeCommand.self, ClockCommand.self, SimulateCommand.self, BenchCommand.self],
        defaultSubcommand: ServeCommand.self,
        helpNames: CommandLineNames.help)
}

extension RootCommand {
    /// How a process ends.
    struct Exit: Equatable {
        static let usageStatus: Int32 = 2

        var status: Int32
        /// For the standard output when `status` is 0, else for the standard error. Whole lines, or nothing.
        var text = ""

        /// Writes the text and ends the process.
        func end() -> Never {
            fflush(nil)
            text.withCString { text in
                _ = Glibc.write(status == 0 ? STDOUT_FILENO : STDERR_FILENO, text, strlen(text))
            }
            Glibc.exit(status)
        }
    }

    /// Runs what the arguments (without the program's name; `nil`: those of the process) ask for. The status is 0 when
    /// all went well or help was asked for, 2 when the arguments or the configuration are wrong, 1 when anything else
    /// failed.
    static func run(_ arguments: [String]?) async -> Exit {
        let arguments = arguments ?? Array(CommandLine.arguments.dropFirst())
        if let only = arguments.first, arguments.count == 1, ["-h", "-help", "--help", "help"].contains(only) {
            return Exit(status: 0, text: help.endingInNewline)
        }
        do {
            var command = try parseAsRoot(arguments)
            if var asynchronous = command as? any AsyncParsableCommand {
                try await asynchronous.run()
            } else {
                try command.run()
            }
            return Exit(status: 0)
        } catch {
            return Self.exit(for: error)
        }
    }

    /// The flags of a node, which the library's own help keeps for the help of `serve`, and the other subcommands.
    private static var help: String {
        let others = configuration.subcommands.filter { $0 != ServeCommand.self }
        let lines = others.map { command in
            let name = command.configuration.commandName ?? command._commandName
            return "  \(name)".padded(to: 26) + command.configuration.abstract
        }
        let list = lines.isEmpty ? "" : "\nSUBCOMMANDS:\n" + lines.joined(separator: "\n") + "\n"
        return helpMessage(for: ServeCommand.self).endingInNewline + list
    }

    static func exit(for error: any Error) -> Exit {
        if let error = error as? ConfigurationError { return Exit(status: Exit.usageStatus, text: "\(error)\n") }
        switch exitCode(for: error) {
        case .success: return Exit(status: 0, text: fullMessage(for: error).endingInNewline)
        case .validationFailure: return Exit(status: Exit.usageStatus, text: fullMessage(for: error).endingInNewline)
        case let code where error is ExitCode: return Exit(status: code.rawValue)
        case let code: return Exit(status: code.rawValue, text: "\(error)".endingInNewline)
        }
    }
}

extension String {
    fileprivate func padded(to width: Int) -> String {
        self + String(repeating: " ", count: max(1, width - utf8.count))
    }

    fileprivate var endingInNewline: String { isEmpty || hasSuffix("\n") ? self : self + "\n" }
}
