import Foundation

/// What a node answered, as it stood on the wire. Framing is checked strictly (RFC 9112 §6): every byte is accounted for.
struct HTTPAnswer: Sendable {
    struct Malformed: Error, CustomStringConvertible {
        var reason: String
        var bytes: [UInt8]
        var description: String { "\(reason): \(String(decoding: bytes.prefix(2_000), as: UTF8.self))" }
    }

    struct Field: Sendable {
        var name: String
        var value: String
    }

    private(set) var status = 0
    private(set) var fields: [Field] = []
    /// Without the framing of its chunks.
    private(set) var body: [UInt8] = []
    private(set) var isChunked = false

    /// - Parameter isHead: whether the request was `HEAD`, whose answer has no body whatever its fields say.
    init(_ bytes: [UInt8], toHead isHead: Bool) throws {
        guard let end = bytes.firstRange(of: Array("\r\n\r\n".utf8)) else {
            throw Malformed(reason: "no end of the head", bytes: bytes)
        }
        let lines = String(decoding: bytes[..<end.lowerBound], as: UTF8.self).components(separatedBy: "\r\n")
        let words = lines[0].split(separator: " ", maxSplits: 2)
        guard words.count == 3, words[0] == "HTTP/1.1", let status = Int(words[1]), !words[2].isEmpty else {
            throw Malformed(reason: "no status line", bytes: bytes)
        }
        self.status = status
        for line in lines.dropFirst() {
            let parts = line.split(separator: ":", maxSplits: 1, omittingEmptySubsequences: false)
            guard parts.count == 2, !parts[0].isEmpty else {
                throw Malformed(reason: "no field: \(line)", bytes: bytes)
            }
            fields.append(Field(name: String(parts[0]), value: parts[1].trimmingCharacters(in: .whitespaces)))
        }
        let rest = bytes[end.upperBound...]
        if (100..<200).contains(status) {
            self = try HTTPAnswer(Array(rest), toHead: isHead)
            return
        }
        isChunked = self["transfer-encoding"] == "chunked"
        if isHead || status == 204 || status == 304 {
            guard rest.isEmpty else { throw Malformed(reason: "a body where none may be", bytes: bytes) }
        } else if isChunked {
            guard self["content-length"] == nil, let text = Self.joined(rest) else {
                throw Malformed(reason: "broken chunks", bytes: bytes)
            }
            body = text
        } else {
            guard self["content-length"] == String(rest.count) else {
                throw Malformed(reason: "another length than said", bytes: bytes)
            }
            body = Array(rest)
        }
    }

    /// The value of a field; those of several, with commas; `nil` when there is none.
    subscript(name: String) -> String? {
        let values = fields.filter { $0.name.lowercased() == name.lowercased() }.map(\.value)
        return values.isEmpty ? nil : values.joined(separator: ", ")
    }

    var text: String { String(decoding: body, as: UTF8.self) }
    var json: AnyJSON? { try? JSONDecoder().decode(AnyJSON.self, from: Data(body)) }

    /// Chunks without their framing (RFC 9112 §7.1); `nil` unless they end with the last chunk, and nothing follows.
    private static func joined(_ chunks: ArraySlice<UInt8>) -> [UInt8]? {
        var rest = chunks
        var joined: [UInt8] = []
        while let line = rest.firstRange(of: [13, 10]) {
            guard let count = Int(String(decoding: rest[..<line.lowerBound], as: UTF8.self), radix: 16), count >= 0
            else { return nil }
            rest = rest[line.upperBound...]
            guard rest.count >= count + 2, rest.dropFirst(count).prefix(2).elementsEqual([13, 10]) else { return nil }
            joined += rest.prefix(count)
            rest = rest.dropFirst(count + 2)
            if count == 0 { return rest.isEmpty ? joined : nil }
        }
        return nil
    }
}

extension HTTPAnswer {
    /// Whether this is problem details (RFC 9457) for `status`, with the properties of the contract and no others.
    func isProblem(_ status: Int) -> Bool {
        guard self.status == status, self["content-type"] == "application/problem+json", let json else { return false }
        let names = Set(json.kinds.keys)
        let errors = json["errors"]?.elements ?? []
        return names.isSuperset(of: ["title", "status", "detail"])
            && names.isSubset(of: ["title", "status", "detail", "errors"])
            && json["status"]?.integer == status && json["title"]?.text?.isEmpty == false
            && json["detail"]?.text?.isEmpty == false
            && (errors.isEmpty == (json["errors"] == nil))
            && errors.allSatisfy {
                $0["message"]?.text?.isEmpty == false && $0["location"]?.text?.isEmpty == false
                    && Set($0.kinds.keys).isSubset(of: ["message", "location", "value"])
            }
    }

    /// Where the faults of a request are, sorted.
    var locations: [String] { (json?["errors"]?.elements ?? []).compactMap { $0["location"]?.text }.sorted() }

    /// Whether this is a todo as the contract shows it, with these properties and no others.
    var isTodo: Bool { self["content-type"] == "application/json" && json?.isTodo == true }

    var id: Int? { json?["id"]?.integer }
}
