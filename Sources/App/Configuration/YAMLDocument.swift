internal import Yams

/// Turns the text of a configuration file into a tree, within bounds, and with duplicate keys marked instead of fatal.
enum YAMLDocument {
    /// The parser's own bound on nesting is 1,000 levels. Aliases cost nothing while nobody expands them; the parser
    /// expands those that are keys, so that few of them must do.
    static let maximumAliasCount = 8
    /// Stands before a key that is given again later in the same mapping.
    static let duplicateMark: Unicode.Scalar = "\u{E000}"
    private static let maximumDuplicateCount = 16

    /// `nil` for a text without a document (nothing, or only comments).
    static func compose(_ text: String) throws(ConfigurationFault) -> Node? {
        guard aliasCount(text) <= maximumAliasCount else {
            throw ConfigurationFault(location: "", message: "expected at most \(maximumAliasCount) aliases, found more")
        }
        var text = text
        for _ in 0..<maximumDuplicateCount {
            do {
                return try Yams.compose(yaml: text, .basic)
            } catch YamlError.duplicatedKeysInMapping(let names, let context) {
                // The parser stops at the first mapping with a key given twice. With a mark before the first of them
                // the rest of the file is read too, and the key's whole path is known.
                guard let marked = text.inserting(duplicateMark, line: context.mark.line, column: context.mark.column)
                else { throw duplicateFault(names, context) }
                text = marked
            } catch {
                throw fault(error)
            }
        }
        throw ConfigurationFault(
            location: "", message: "expected each key once, found more than \(maximumDuplicateCount) twice")
    }

    /// A marked key as it stands in the file; the mark before its quotes has made them part of it.
    static func unmarked(_ key: String) -> String {
        let name = key.unicodeScalars.drop { $0 == duplicateMark }
        guard let quote = name.first, quote == "\"" || quote == "'", name.count > 1, name.last == quote else {
            return String(name)
        }
        return String(name.dropFirst().dropLast())
    }

    /// How many `*name` the text may hold, comments and quotations included. An alias stands at the beginning or behind a
    /// blank, an indicator, or something that is not ASCII: a line break of Unicode or a byte order mark.
    private static func aliasCount(_ text: String) -> Int {
        var count = 0
        var previous = UInt8(ascii: " ")
        var isAfterStar = false
        for byte in text.utf8 {
            if isAfterStar, byte > UInt8(ascii: " ") { count += 1 }
            isAfterStar =
                byte == UInt8(ascii: "*")
                && (previous <= UInt8(ascii: " ") || previous >= 0x80 || "[{,:?-".utf8.contains(previous))
            previous = byte
        }
        return count
    }

    private static func duplicateFault(_ names: [String], _ context: YamlError.Context) -> ConfigurationFault {
        let keys = names.map(ConfigurationFault.quoted).joined(separator: ", ")
        return ConfigurationFault(
            location: "", line: context.mark.line, message: "expected each key once, found \(keys) again")
    }

    /// Only the parser's own words: its full description quotes the file, which may hold the cluster's key.
    private static func fault(_ error: any Error) -> ConfigurationFault {
        switch error as? YamlError {
        case .scanner(_, let problem, let mark, _), .parser(_, let problem, let mark, _),
            .composer(_, let problem, let mark, _):
            ConfigurationFault(location: "", line: mark.line, message: "expected YAML: \(problem)")
        case .reader(let problem, _, _, _):
            ConfigurationFault(location: "", message: "expected YAML: \(problem)")
        default:
            ConfigurationFault(location: "", message: "expected YAML that can be read")
        }
    }
}

extension String {
    /// `nil` when the text has no such place. Lines and columns from 1, columns in Unicode scalars, as YAML counts.
    fileprivate func inserting(_ scalar: Unicode.Scalar, line: Int, column: Int) -> String? {
        var currentLine = 1
        var currentColumn = 1
        var index = unicodeScalars.startIndex
        while index < unicodeScalars.endIndex, (currentLine, currentColumn) != (line, column) {
            let next = unicodeScalars.index(after: index)
            switch unicodeScalars[index] {
            case "\r" where next < unicodeScalars.endIndex && unicodeScalars[next] == "\n":
                currentColumn += 1
            case "\n", "\r", "\u{85}", "\u{2028}", "\u{2029}":
                currentLine += 1
                currentColumn = 1
            default:
                currentColumn += 1
            }
            index = next
        }
        guard (currentLine, currentColumn) == (line, column) else { return nil }
        var text = self
        text.unicodeScalars.insert(scalar, at: index)
        return text
    }
}
