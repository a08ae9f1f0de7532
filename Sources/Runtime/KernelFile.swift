internal import Foundation

/// Texts that the kernel makes when they are read: `/proc` and `/sys`. Reading them blocks.
package enum KernelFile {
    /// Without the line break at its end; empty where there is no such file.
    package static func text(of path: String) -> String {
        let text = String(decoding: FileManager.default.contents(atPath: path) ?? Data(), as: UTF8.self)
        return text.hasSuffix("\n") ? String(text.dropLast()) : text
    }

    /// What follows `name` in the line that begins with it, without blanks around it; `nil` where there is none.
    package static func value(of name: String, in path: String) -> Substring? {
        for line in text(of: path).split(separator: "\n") where line.hasPrefix(name) {
            let isBlank = { (character: Character) in character == " " || character == "\t" }
            var value = line.dropFirst(name.count).drop(while: isBlank)
            while let last = value.last, isBlank(last) { value.removeLast() }
            return value
        }
        return nil
    }
}
