internal import NIOCore

// JSON is written by hand: for a hundred todos Foundation's encoder takes ten times as long (measured).
extension ByteBuffer {
    /// `text` in quotes. Everything but quotes, backslashes and control characters goes out as the bytes it has.
    mutating func writeJSON(_ text: String) {
        var text = text
        text.withUTF8 { bytes in
            writeInteger(UInt8(ascii: "\""))
            var start = 0
            for index in bytes.indices {
                let byte = bytes[index]
                if byte >= 0x20, byte != UInt8(ascii: "\""), byte != UInt8(ascii: "\\") { continue }
                writeBytes(UnsafeRawBufferPointer(rebasing: UnsafeRawBufferPointer(bytes)[start..<index]))
                writeEscaped(byte)
                start = index + 1
            }
            writeBytes(UnsafeRawBufferPointer(rebasing: UnsafeRawBufferPointer(bytes)[start...]))
            writeInteger(UInt8(ascii: "\""))
        }
    }

    mutating func writeJSON(_ value: JSONValue) {
        switch value {
        case .null: writeStaticString("null")
        case .boolean(let value): writeJSON(value)
        case .number(let text): writeString(text)
        case .string(let text): writeJSON(text)
        case .array(let values):
            writeStaticString("[")
            for (index, value) in values.enumerated() {
                if index > 0 { writeStaticString(",") }
                writeJSON(value)
            }
            writeStaticString("]")
        case .object(let object):
            writeStaticString("{")
            for (index, member) in object.members.enumerated() {
                if index > 0 { writeStaticString(",") }
                writeJSON(member.name)
                writeStaticString(":")
                writeJSON(member.value)
            }
            writeStaticString("}")
        }
    }

    mutating func writeJSON(_ value: Bool) { writeStaticString(value ? "true" : "false") }

    private mutating func writeEscaped(_ byte: UInt8) {
        switch byte {
        case UInt8(ascii: "\""): writeStaticString("\\\"")
        case UInt8(ascii: "\\"): writeStaticString("\\\\")
        case 0x08: writeStaticString("\\b")
        case 0x09: writeStaticString("\\t")
        case 0x0a: writeStaticString("\\n")
        case 0x0c: writeStaticString("\\f")
        case 0x0d: writeStaticString("\\r")
        default:
            writeStaticString("\\u00")
            for digit in [byte >> 4, byte & 15] {
                writeInteger(digit < 10 ? UInt8(ascii: "0") + digit : UInt8(ascii: "a") + digit - 10)
            }
        }
    }
}
