internal import Replication

/// Moments as text, in the database and in the REST API: written in one form, read in all that the seed's databases hold.
///
/// Own arithmetic on the proleptic Gregorian calendar (Hinnant, "chrono-compatible low-level date algorithms"): a
/// general formatter costs more than the rest of a row.
package enum Timestamp {
    /// Bytes of the one form, `2026-01-02T03:04:05.678Z`.
    package static let byteCount = 24

    /// The one form, in UTC. Moments outside of `Row.createdRange` are held at its ends.
    package static func format(_ milliseconds: Int64) -> String {
        String(unsafeUninitializedCapacity: byteCount) { bytes in
            write(milliseconds, into: UnsafeMutableRawBufferPointer(bytes))
            return byteCount
        }
    }

    /// The same into `room`, which has `byteCount` bytes at least.
    package static func write(_ milliseconds: Int64, into room: UnsafeMutableRawBufferPointer) {
        precondition(room.count >= byteCount, "no room for a timestamp: \(room.count) bytes")
        let milliseconds = min(max(milliseconds, Row.createdRange.lowerBound), Row.createdRange.upperBound)
        let days = floorDivide(milliseconds, 86_400_000)
        let (year, month, day) = civil(days: days)
        let time = milliseconds - days * 86_400_000
        func put(_ value: Int64, at start: Int, digits: Int) {
            var value = value
            for index in stride(from: start + digits - 1, through: start, by: -1) {
                room[index] = UInt8(ascii: "0") + UInt8(truncatingIfNeeded: value % 10)
                value /= 10
            }
        }
        put(year, at: 0, digits: 4)
        put(month, at: 5, digits: 2)
        put(day, at: 8, digits: 2)
        put(time / 3_600_000, at: 11, digits: 2)
        put(time / 60_000 % 60, at: 14, digits: 2)
        put(time / 1_000 % 60, at: 17, digits: 2)
        put(time % 1_000, at: 20, digits: 3)
        room[4] = UInt8(ascii: "-")
        room[7] = UInt8(ascii: "-")
        room[10] = UInt8(ascii: "T")
        room[13] = UInt8(ascii: ":")
        room[16] = UInt8(ascii: ":")
        room[19] = UInt8(ascii: ".")
        room[23] = UInt8(ascii: "Z")
    }

    /// Milliseconds since 1970 of a text in one of these forms, `nil` for any other and outside `Row.createdRange`:
    ///
    ///     2025-11-08 09:10:11                                  SQLite's CURRENT_TIMESTAMP, in UTC
    ///     2025-11-07T12:06:59.123456789+01:00                  RFC 3339: T or blank, 0...9 digits, Z, offset, nothing
    ///     2023-10-04 20:27:15.365 +1100 AEDT m=+245.85         Go's default: what follows the offset is ignored
    ///
    /// Digits beyond the millisecond are cut off.
    package static func parse(_ text: String) -> Int64? {
        var text = text
        return text.withUTF8 { parse($0) }
    }

    static func parse(_ bytes: UnsafeBufferPointer<UInt8>) -> Int64? {
        guard bytes.count >= 19, bytes[4] == UInt8(ascii: "-"), bytes[7] == UInt8(ascii: "-"),
            bytes[10] == UInt8(ascii: "T") || bytes[10] == UInt8(ascii: "t") || bytes[10] == UInt8(ascii: " "),
            bytes[13] == UInt8(ascii: ":"), bytes[16] == UInt8(ascii: ":"),
            let century = twoDigits(bytes, 0), let yearOfCentury = twoDigits(bytes, 2),
            let month = twoDigits(bytes, 5), let day = twoDigits(bytes, 8),
            let hour = twoDigits(bytes, 11), let minute = twoDigits(bytes, 14), let second = twoDigits(bytes, 17),
            (1...12).contains(month), hour < 24, minute < 60, second < 60
        else { return nil }
        let year = century * 100 + yearOfCentury
        guard (1...daysIn(month: month, year: year)).contains(day) else { return nil }
        var position = 19
        guard let fraction = fractionMilliseconds(bytes, &position),
            let offsetMinutes = offsetMinutes(bytes, position)
        else { return nil }
        let seconds = days(year: year, month: month, day: day) * 86_400 + hour * 3_600 + minute * 60 + second
        let milliseconds = (seconds - offsetMinutes * 60) * 1_000 + fraction
        return Row.createdRange.contains(milliseconds) ? milliseconds : nil
    }

    /// Nothing counts as zero. Moves `position` behind the digits.
    private static func fractionMilliseconds(_ bytes: UnsafeBufferPointer<UInt8>, _ position: inout Int) -> Int64? {
        guard position < bytes.count, bytes[position] == UInt8(ascii: ".") else { return 0 }
        let first = position + 1
        var end = first
        while end < bytes.count, isDigit(bytes[end]) { end += 1 }
        guard (1...9).contains(end - first) else { return nil }
        position = end
        var value: Int64 = 0
        for index in first..<(first + 3) { value = value * 10 + (index < end ? Int64(bytes[index] - 48) : 0) }
        return value
    }

    /// What follows the seconds: nothing, `Z`, `+01:00`, or a blank, `+0100` or `+01:00`, and anything after a blank.
    private static func offsetMinutes(_ bytes: UnsafeBufferPointer<UInt8>, _ start: Int) -> Int64? {
        guard start < bytes.count else { return 0 }
        if bytes[start] == UInt8(ascii: "Z") || bytes[start] == UInt8(ascii: "z") {
            return start + 1 == bytes.count ? 0 : nil
        }
        let isSpaced = bytes[start] == UInt8(ascii: " ")
        let sign = isSpaced ? start + 1 : start
        guard sign < bytes.count, bytes[sign] == UInt8(ascii: "+") || bytes[sign] == UInt8(ascii: "-"),
            let hours = twoDigits(bytes, sign + 1)
        else { return nil }
        let hasColon = sign + 3 < bytes.count && bytes[sign + 3] == UInt8(ascii: ":")
        let end = sign + (hasColon ? 6 : 5)
        guard hasColon || isSpaced, let minutes = twoDigits(bytes, end - 2), hours < 24, minutes < 60,
            end == bytes.count || (isSpaced && bytes[end] == UInt8(ascii: " "))
        else { return nil }
        return (bytes[sign] == UInt8(ascii: "-") ? -1 : 1) * (hours * 60 + minutes)
    }

    private static func isDigit(_ byte: UInt8) -> Bool { byte >= 48 && byte <= 57 }

    private static func twoDigits(_ bytes: UnsafeBufferPointer<UInt8>, _ start: Int) -> Int64? {
        guard start + 2 <= bytes.count, isDigit(bytes[start]), isDigit(bytes[start + 1]) else { return nil }
        return Int64(bytes[start]) * 10 + Int64(bytes[start + 1]) - 11 * 48
    }

    private static func daysIn(month: Int64, year: Int64) -> Int64 {
        switch month {
        case 4, 6, 9, 11: 30
        case 2: year % 4 == 0 && (year % 100 != 0 || year % 400 == 0) ? 29 : 28
        default: 31
        }
    }

    /// Days from 1970-01-01. Years begin in March here, so that the leap day is the last.
    private static func days(year: Int64, month: Int64, day: Int64) -> Int64 {
        let year = month <= 2 ? year - 1 : year
        let era = floorDivide(year, 400)
        let yearOfEra = year - era * 400
        let dayOfYear = (153 * (month > 2 ? month - 3 : month + 9) + 2) / 5 + day - 1
        return era * 146_097 + yearOfEra * 365 + yearOfEra / 4 - yearOfEra / 100 + dayOfYear - 719_468
    }

    private static func civil(days: Int64) -> (year: Int64, month: Int64, day: Int64) {
        let shifted = days + 719_468
        let era = floorDivide(shifted, 146_097)
        let dayOfEra = shifted - era * 146_097
        let yearOfEra = (dayOfEra - dayOfEra / 1_460 + dayOfEra / 36_524 - dayOfEra / 146_096) / 365
        let dayOfYear = dayOfEra - (365 * yearOfEra + yearOfEra / 4 - yearOfEra / 100)
        let shiftedMonth = (5 * dayOfYear + 2) / 153
        let month = shiftedMonth < 10 ? shiftedMonth + 3 : shiftedMonth - 9
        return (yearOfEra + era * 400 + (month <= 2 ? 1 : 0), month, dayOfYear - (153 * shiftedMonth + 2) / 5 + 1)
    }

    private static func floorDivide(_ value: Int64, _ divisor: Int64) -> Int64 {
        value >= 0 ? value / divisor : -((divisor - 1 - value) / divisor)
    }
}
