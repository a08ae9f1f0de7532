/// The value of `Host`: a host and perhaps a port, or nothing (RFC 9110 §7.2, RFC 3986 §3.2.2).
enum HostField {
    /// Whether `value` is one, by its characters. That the address in brackets is an address is not looked at.
    static func isSound(_ value: String) -> Bool {
        var rest = value.utf8[...]
        if rest.first == UInt8(ascii: "[") {
            guard let end = rest.firstIndex(of: UInt8(ascii: "]")) else { return false }
            let address = rest[..<end].dropFirst()
            guard !address.isEmpty, address.allSatisfy({ isNameByte($0) || $0 == UInt8(ascii: ":") }) else {
                return false
            }
            rest = rest[end...].dropFirst()
        } else {
            let end = rest.firstIndex(of: UInt8(ascii: ":")) ?? rest.endIndex
            guard isName(rest[..<end]) else { return false }
            rest = rest[end...]
        }
        guard let colon = rest.first else { return true }
        return colon == UInt8(ascii: ":") && rest.dropFirst().allSatisfy { (0x30...0x39).contains($0) }
    }

    /// `reg-name`.
    private static func isName(_ bytes: Substring.UTF8View) -> Bool {
        var escapeDigits = 0
        for byte in bytes {
            if escapeDigits > 0 {
                guard isHexDigit(byte) else { return false }
                escapeDigits -= 1
            } else if byte == UInt8(ascii: "%") {
                escapeDigits = 2
            } else if !isNameByte(byte) {
                return false
            }
        }
        return escapeDigits == 0
    }

    /// `unreserved` and `sub-delims`.
    private static func isNameByte(_ byte: UInt8) -> Bool {
        switch byte {
        case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
            UInt8(ascii: "0")...UInt8(ascii: "9"):
            true
        // - . _ ~ ! $ & ' ( ) * + , ; =
        case 0x2d, 0x2e, 0x5f, 0x7e, 0x21, 0x24, 0x26...0x2c, 0x3b, 0x3d: true
        default: false
        }
    }

    private static func isHexDigit(_ byte: UInt8) -> Bool {
        switch byte {
        case UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "a")...UInt8(ascii: "f"),
            UInt8(ascii: "A")...UInt8(ascii: "F"):
            true
        default: false
        }
    }
}
