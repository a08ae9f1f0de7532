internal import Glibc

/// How far a long command is, in one line on the standard error, and only where somebody sits before it.
package struct TerminalProgress {
    private let total: Int
    private let isTerminal = isatty(STDERR_FILENO) == 1

    /// `total`: for a count; a text tells by itself how far it is.
    package init(total: Int = 0) { self.total = total }

    /// So many are done.
    package func show(_ count: Int) { if isTerminal, count < total { write("\(count) of \(total)") } }

    /// Any text.
    package func show(_ text: String) { if isTerminal { write(text) } }

    /// Before other lines are printed.
    package func clear() { if isTerminal { write("\r\u{1b}[K") } }

    /// A line for whoever reads the standard error.
    package static func warn(_ text: String) { write(text + "\n") }

    private func write(_ text: String) { Self.write(text) }

    private static func write(_ text: String) {
        text.withCString { _ = Glibc.write(STDERR_FILENO, $0, strlen($0)) }
    }
}
