internal import Glibc

/// How far a long command is, in one line on the standard error, and only where somebody sits before it.
struct TerminalProgress {
    private let total: Int
    private let isTerminal = isatty(STDERR_FILENO) == 1

    /// `total`: for a count; a text tells by itself how far it is.
    init(total: Int = 0) { self.total = total }

    func show(_ count: Int) { if isTerminal, count < total { write("\(count) of \(total)") } }

    func show(_ text: String) { if isTerminal { write(text) } }

    /// Before other lines are printed.
    func clear() { if isTerminal { write("\r\u{1b}[K") } }

    /// A line for whoever reads the standard error.
    static func warn(_ text: String) { write(text + "\n") }

    private func write(_ text: String) { Self.write(text) }

    private static func write(_ text: String) {
        text.withCString { _ = Glibc.write(STDERR_FILENO, $0, strlen($0)) }
    }
}
