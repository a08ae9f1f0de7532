internal import NIOCore
internal import Store

extension ByteBuffer {
    /// A todo as the REST API shows it. Lists consist of these, so that they are written in one go where nothing is to be
    /// escaped.
    mutating func writeJSON(_ todo: Todo) {
        var (externID, text) = (todo.externID, todo.text)
        externID.withUTF8 { externID in
            text.withUTF8 { text in
                if externID.needsEscaping || text.needsEscaping {
                    writeParts(todo)
                } else {
                    writePlain(todo, externID, text)
                }
            }
        }
    }

    /// With commas between.
    mutating func writeTodos(_ todos: [Todo]) {
        for (index, todo) in todos.enumerated() {
            if index > 0 { writeStaticString(",") }
            writeJSON(todo)
        }
    }

    private mutating func writeParts(_ todo: Todo) {
        writeStaticString(#"{"id":"#)
        writeString(String(todo.id))
        writeStaticString(#","extern_id":"#)
        writeJSON(todo.externID)
        writeStaticString(#","todo":"#)
        writeJSON(todo.text)
        writeStaticString(
            todo.isCompleted ? #","completed":true,"created_at":""# : #","completed":false,"created_at":""#)
        writeTimestamp(milliseconds: todo.createdAtMilliseconds)
        writeStaticString("\"}")
    }

    private mutating func writePlain(
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
            output.put(UTCTime(milliseconds: todo.createdAtMilliseconds))
            output.put("\"}")
            return output.count
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
        put(number, digits: digits)
    }

    mutating func put(_ time: UTCTime) {
        put(Int64(time.year), digits: 4)
        put("-")
        put(Int64(time.month), digits: 2)
        put("-")
        put(Int64(time.day), digits: 2)
        put("T")
        put(Int64(time.hour), digits: 2)
        put(":")
        put(Int64(time.minute), digits: 2)
        put(":")
        put(Int64(time.second), digits: 2)
        put(".")
        put(Int64(time.millisecond), digits: 3)
        put("Z")
    }

    private mutating func put(_ number: Int64, digits: Int) {
        precondition(number >= 0 && digits <= room.count - count, "no room for \(number)")
        var rest = number
        for place in stride(from: count + digits - 1, through: count, by: -1) {
            room[place] = UInt8(ascii: "0") + UInt8(truncatingIfNeeded: rest % 10)
            rest /= 10
        }
        count += digits
    }
}
