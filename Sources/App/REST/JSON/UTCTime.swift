internal import NIOCore

/// A moment in UTC, in the proleptic Gregorian calendar.
struct UTCTime: Equatable {
    /// 0 to 9999: moments before and after are moved to the nearest that has four digits.
    let year: Int
    let month: Int
    let day: Int
    /// Sunday is 0.
    let weekday: Int
    let hour: Int
    let minute: Int
    let second: Int
    let millisecond: Int

    /// Since 1970-01-01T00:00:00Z, leap seconds not counted.
    init(milliseconds: Int64) {
        // 0000-01-01T00:00:00.000Z and 9999-12-31T23:59:59.999Z.
        let moment = Int(min(max(milliseconds, -62_167_219_200_000), 253_402_300_799_999))
        let (days, rest) = moment.flooringDivision(by: 86_400_000)
        // Days since 0000-03-01, in eras of 400 years: Howard Hinnant, chrono-Compatible Low-Level Date Algorithms.
        let (era, dayOfEra) = (days + 719_468).flooringDivision(by: 146_097)
        let yearOfEra = (dayOfEra - dayOfEra / 1460 + dayOfEra / 36_524 - dayOfEra / 146_096) / 365
        let dayOfYear = dayOfEra - (365 * yearOfEra + yearOfEra / 4 - yearOfEra / 100)
        let monthFromMarch = (5 * dayOfYear + 2) / 153
        month = monthFromMarch < 10 ? monthFromMarch + 3 : monthFromMarch - 9
        year = yearOfEra + era * 400 + (month <= 2 ? 1 : 0)
        day = dayOfYear - (153 * monthFromMarch + 2) / 5 + 1
        weekday = (days + 4).flooringDivision(by: 7).remainder
        hour = rest / 3_600_000
        minute = rest / 60_000 % 60
        second = rest / 1000 % 60
        millisecond = rest % 1000
    }

    static func now() -> Self { Self(milliseconds: WallClock.milliseconds()) }

    /// `Sun, 06 Nov 1994 08:49:37 GMT`, as HTTP writes it (RFC 9110 §5.6.7).
    var httpDate: String {
        let days = ["Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"]
        let months = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"]
        func digits(_ value: Int, _ count: Int = 2) -> String {
            let text = String(value)
            return String(repeating: "0", count: count - text.utf8.count) + text
        }
        let date = "\(days[weekday]), \(digits(day)) \(months[month - 1]) \(digits(year, 4))"
        return "\(date) \(digits(hour)):\(digits(minute)):\(digits(second)) GMT"
    }
}

extension UTCTime {
    /// Bytes of the timestamp.
    static let timestampBytes = 24

    /// `2026-01-02T03:04:05.678Z`: always UTC, always three digits. `room` has `timestampBytes` at least.
    func writeTimestamp(into room: UnsafeMutableRawBufferPointer) {
        precondition(room.count >= Self.timestampBytes, "no room for a timestamp: \(room.count) bytes")
        func write(_ value: Int, digits: Int, at index: Int) {
            var value = value
            for place in stride(from: index + digits - 1, through: index, by: -1) {
                room[place] = UInt8(ascii: "0") + UInt8(value % 10)
                value /= 10
            }
        }
        write(year, digits: 4, at: 0)
        room[4] = UInt8(ascii: "-")
        write(month, digits: 2, at: 5)
        room[7] = UInt8(ascii: "-")
        write(day, digits: 2, at: 8)
        room[10] = UInt8(ascii: "T")
        write(hour, digits: 2, at: 11)
        room[13] = UInt8(ascii: ":")
        write(minute, digits: 2, at: 14)
        room[16] = UInt8(ascii: ":")
        write(second, digits: 2, at: 17)
        room[19] = UInt8(ascii: ".")
        write(millisecond, digits: 3, at: 20)
        room[23] = UInt8(ascii: "Z")
    }
}

extension ByteBuffer {
    mutating func writeTimestamp(milliseconds: Int64) {
        writeWithUnsafeMutableBytes(minimumWritableBytes: UTCTime.timestampBytes) { room in
            UTCTime(milliseconds: milliseconds).writeTimestamp(into: room)
            return UTCTime.timestampBytes
        }
    }
}

extension Int {
    /// The remainder is never negative.
    fileprivate func flooringDivision(by divisor: Int) -> (quotient: Int, remainder: Int) {
        let (quotient, remainder) = quotientAndRemainder(dividingBy: divisor)
        return remainder < 0 ? (quotient - 1, remainder + divisor) : (quotient, remainder)
    }
}
