extension String {
    /// `application/json`, or a type built on it (RFC 6839 §3.1), whatever its parameters. Read by bytes, as all of HTTP.
    var isJSONMediaType: Bool {
        let blanks: [UInt8] = [UInt8(ascii: " "), UInt8(ascii: "\t")]
        let essence = utf8.prefix { $0 != UInt8(ascii: ";") }.drop { blanks.contains($0) }
        let parts = essence.split(separator: UInt8(ascii: "/"), omittingEmptySubsequences: false)
        guard parts.count == 2, let end = parts[1].lastIndex(where: { !blanks.contains($0) }) else { return false }
        let type = parts[0].map { $0 | 0x20 }
        let subtype = parts[1][...end].map { $0 | 0x20 }
        guard !type.isEmpty, !type.contains(where: blanks.contains), !subtype.contains(where: blanks.contains) else {
            return false
        }
        return type.elementsEqual("application".utf8) && subtype.elementsEqual("json".utf8)
            || subtype.count > 5 && subtype.suffix(5).elementsEqual("+json".utf8)
    }
}
