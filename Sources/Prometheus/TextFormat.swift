/// The exposition format, version 0.0.4: https://prometheus.io/docs/instrumenting/exposition_formats.
package enum TextFormat {
    /// For the header `Content-Type`.
    package static let contentType = "text/plain; version=0.0.4; charset=utf-8"

    /// `a="b",c="d"`; empty without labels.
    static func labels(_ labels: [(name: String, value: String)]) -> [UInt8] {
        var text: [UInt8] = []
        for (name, value) in labels {
            if !text.isEmpty { text.append(UInt8(ascii: ",")) }
            text += name.utf8
            text += "=\"".utf8
            text.appendEscaped(value, quotes: true)
            text.append(UInt8(ascii: "\""))
        }
        return text
    }
}

extension [UInt8] {
    /// `# HELP` and `# TYPE` of a family.
    mutating func appendHead(of family: MetricFamily) {
        self += "# HELP \(family.name) ".utf8
        appendEscaped(family.help, quotes: false)
        self += "\n# TYPE \(family.name) \(family.kind.typeName)\n".utf8
    }

    /// One line.
    mutating func appendSample(_ name: [UInt8], _ suffix: StaticString = "", labels: [UInt8], value: Double) {
        self += name
        suffix.withUTF8Buffer { self += $0 }
        if !labels.isEmpty {
            append(UInt8(ascii: "{"))
            self += labels
            append(UInt8(ascii: "}"))
        }
        append(UInt8(ascii: " "))
        appendNumber(value)
        append(UInt8(ascii: "\n"))
    }

    /// As Go's `ParseFloat` reads it. Integers have no point, so that they read as what they are.
    mutating func appendNumber(_ value: Double) {
        if let whole = Int64(exactly: value), whole.magnitude < 1 << 53 {
            self += "\(whole)".utf8
        } else if value.isNaN {
            self += "NaN".utf8
        } else if value.isInfinite {
            self += (value < 0 ? "-Inf" : "+Inf").utf8
        } else {
            self += "\(value)".utf8
        }
    }

    /// Of a label's value `\`, `"` and the line feed are escaped, of a help text the first and the last.
    fileprivate mutating func appendEscaped(_ text: String, quotes: Bool) {
        for byte in text.utf8 {
            switch byte {
            case UInt8(ascii: "\\"): self += #"\\"#.utf8
            case UInt8(ascii: "\n"): self += #"\n"#.utf8
            case UInt8(ascii: "\"") where quotes: self += #"\""#.utf8
            default: append(byte)
            }
        }
    }
}

extension MetricFamily.Kind {
    /// What the text format calls it.
    package var typeName: String {
        switch self {
        case .counter: "counter"
        case .gauge: "gauge"
        case .histogram: "histogram"
        }
    }
}
