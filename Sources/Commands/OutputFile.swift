internal import ArgumentParser
internal import Foundation

/// A file that a command was asked to write its findings to.
package struct OutputFile {
    private let path: String
    private let option: String

    /// Throws when it cannot be written: better before the work than after it. `nil` without a path.
    package init?(_ path: String?, option: String) throws {
        guard let path else { return nil }
        (self.path, self.option) = (path, option)
        guard let file = fopen(path, "a"), fclose(file) == 0 else { throw failure }
    }

    /// As it is.
    package func write(_ text: String) throws { try write(Data(text.utf8)) }

    /// As JSON for people and programs.
    package func write(_ value: some Encodable) throws {
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.prettyPrinted, .sortedKeys]
        try write(try encoder.encode(value) + Data("\n".utf8))
    }

    private func write(_ data: Data) throws {
        do {
            // In place: a device or a link is not to be replaced by a file.
            try data.write(to: URL(fileURLWithPath: path))
        } catch {
            throw failure
        }
    }

    private var failure: ValidationError { ValidationError("--\(option): \(path) cannot be written") }
}
