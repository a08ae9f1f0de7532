/// One thing that is wrong with the configuration.
struct ConfigurationFault: Error, Equatable, CustomStringConvertible {
    /// Where the value stands: `node.http.port`, `-port`, or nothing when it is about the file as a whole.
    var location: String
    /// In the file, from 1.
    var line: Int?
    /// What was expected and what was found.
    var message: String

    var description: String {
        let place = line.map { location.isEmpty ? "line \($0)" : "\(location) (line \($0))" } ?? location
        return place.isEmpty ? message : "\(place): \(message)"
    }

    /// A text from the configuration as a message may show it: short, on one line, in quotes.
    static func quoted(_ text: String) -> String {
        let limit = 60
        var shown = ""
        for scalar in text.unicodeScalars.prefix(limit) {
            shown +=
                scalar.properties.generalCategory == .control
                ? "\\u{\(String(scalar.value, radix: 16))}" : String(scalar)
        }
        return "\"\(shown)\(text.unicodeScalars.count > limit ? "…" : "")\""
    }
}

/// Every fault of a file and of the flags, at once; nothing was opened or created.
struct ConfigurationError: Error, Equatable, CustomStringConvertible {
    /// Of the file that was read, if there is one.
    var path: String?
    var faults: [ConfigurationFault]

    /// One line for each fault.
    var description: String {
        faults.map { fault in
            guard let path, !fault.location.hasPrefix("-") else { return fault.description }
            return "\(path): \(fault)"
        }.joined(separator: "\n")
    }
}
