internal import NIOCore
internal import Store

extension ByteBuffer {
    static func json(_ todo: Todo) -> Self {
        var buffer = ByteBuffer()
        buffer.reserveCapacity(128 + todo.externID.utf8.count + todo.text.utf8.count)
        buffer.writeJSON(todo)
        return buffer
    }

    /// A todo as the REST API shows it. Lists consist of these, so that each is written in one go.
    mutating func writeJSON(_ todo: Todo) {
        withEscaped(todo.externID) { externID in
            withEscaped(todo.text) { text in write(todo, externID, text) }
        }
    }

    /// `2026-01-02T03:04:05.678Z`, without quotes.
    mutating func writeTimestamp(milliseconds: Int64) {
        writeWithUnsafeMutableBytes(minimumWritableBytes: Timestamp.byteCount) { room in
            Timestamp.write(milliseconds, into: room)
            return Timestamp.byteCount
        }
    }

    /// Its texts as they stand between quotes.
    private mutating func write(
        _ todo: Todo, _ externID: UnsafeBufferPointer<UInt8>, _ text: UnsafeBufferPointer<UInt8>
    ) {
        // All names and signs take 66 bytes, the id at most 20, the time 24.
        writeWithUnsafeMutableBytes(minimumWritableBytes: 128 + externID.count + text.count) { bytes in
            var output = OutputBytes(bytes)
            output.put(#"{"id":"#)
            output.put(todo.id)
            output.put(#","extern_id":""#)
            output.put(externID)
            output.put(#"","todo":""#)
            output.put(text)
            output.put(
                todo.isCompleted ? #"","completed":true,"created_at":""# : #"","completed":false,"created_at":""#)
            output.put(milliseconds: todo.createdAtMilliseconds)
            output.put("\"}")
            return output.count
        }
    }
}

/// `text` as it stands between quotes: mostly as it is.
private func withEscaped(_ text: String, _ body: (UnsafeBufferPointer<UInt8>) -> Void) {
    var plain = text
    plain.withUTF8 { bytes in
        guard bytes.needsEscaping else { return body(bytes) }
        var quoted = ByteBuffer()
        quoted.writeJSON(text)
        quoted.withUnsafeReadableBytes { quoted in
            quoted[1..<(quoted.count - 1)].withMemoryRebound(to: UInt8.self, body)
        }
    }
}

extension UnsafeBufferPointer<UInt8> {
    /// JSON wants quotes, backslashes and control characters escaped (RFC 8259 §7), and nothing else.
    fileprivate var needsEscaping: Bool {
        // Without a branch for each byte: the compiler takes many at once.
        var found = false
        for byte in self { found = found || byte < 0x20 || byte == UInt8(ascii: "\"") || byte == UInt8(ascii: "\\") }
        return found
    }
}

/// Bytes one after the other into room that is there. Traps when it is not.
private struct OutputBytes {
    private let room: UnsafeMutableRawBufferPointer
    private(set) var count = 0

    init(_ room: UnsafeMutableRawBufferPointer) { self.room = room }

    mutating func put(_ text: StaticString) {
        put(UnsafeBufferPointer(start: text.utf8Start, count: text.utf8CodeUnitCount))
    }

    mutating func put(_ bytes: UnsafeBufferPointer<UInt8>) {
        precondition(bytes.count <= room.count - count, "no room for \(bytes.count) bytes")
        UnsafeMutableRawBufferPointer(rebasing: room[count..<(count + bytes.count)]).copyMemory(
            from: UnsafeRawBufferPointer(bytes))
        count += bytes.count
    }

    /// Not negative.
    mutating func put(_ number: Int64) {
        var digits = 1
        var rest = number / 10
        while rest > 0 { (rest, digits) = (rest / 10, digits + 1) }
        precondition(number >= 0 && digits <= room.count - count, "no room for \(number)")
        rest = number
        for place in stride(from: count + digits - 1, through: count, by: -1) {
            room[place] = UInt8(ascii: "0") + UInt8(rest % 10)
            rest /= 10
        }
        count += digits
    }

    /// As a timestamp.
    mutating func put(milliseconds: Int64) {
        Timestamp.write(milliseconds, into: UnsafeMutableRawBufferPointer(rebasing: room[count...]))
        count += Timestamp.byteCount
    }
}
