import Replication
import Store

extension FuzzTarget {
    static let store = [
        FuzzTarget(
            name: "timestamps",
            tokens: ["Z", "+01:00", " +1100 AEDT m=+1", ".123456789", "T24", "-02-30", "0000", "9999"].map {
                Array($0.utf8)
            },
            samples: { random in
                (0..<100).map { _ in
                    let milliseconds = Int64(random.int(200_000_000)) * 1_234_567 - 62_135_596_800_000
                    let text = Timestamp.format(min(milliseconds, Row.createdRange.upperBound))
                    let form = random.int(3)
                    let zone = ["", "+01:00", " +1100 AEDT m=+245.85"][form]
                    return Array((form == 0 ? text : text.dropLast() + zone).utf8)
                }
            },
            check: { input in
                let text = String(decoding: input, as: UTF8.self)
                guard let milliseconds = Timestamp.parse(text) else { return }
                try require(Row.createdRange.contains(milliseconds), "\(text) is read as \(milliseconds)")
                let written = Timestamp.format(milliseconds)
                try require(Timestamp.parse(written) == milliseconds, "\(text) is written as \(written)")
            })
    ]
}
