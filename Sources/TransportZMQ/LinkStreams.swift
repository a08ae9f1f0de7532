import DequeModule
import Transport
import TransportKit

/// The exchanges of one link by number, and which of them may have something to send, in turn.
struct LinkStreams {
    private var streams: [UInt32: ExchangeStream] = [:]
    private var lastNumber: UInt32 = 0
    /// Exchanges that may have something to send, each once.
    private var sending = Deque<UInt32>()
    private var isSending: Set<UInt32> = []

    var isEmpty: Bool { streams.isEmpty }
    var hasSending: Bool { !sending.isEmpty }
    /// Lowest first.
    var allNumbers: [UInt32] { streams.keys.sorted() }

    subscript(number: UInt32) -> ExchangeStream? { streams[number] }

    /// Takes a stream in under a number of its own.
    mutating func add(_ stream: ExchangeStream) -> UInt32 {
        repeat { lastNumber &+= 1 } while streams[lastNumber] != nil
        add(stream, number: lastNumber)
        return lastNumber
    }

    mutating func add(_ stream: ExchangeStream, number: UInt32) {
        streams[number] = stream
        stream.number = number
    }

    mutating func remove(_ number: UInt32) -> ExchangeStream? {
        guard let stream = streams.removeValue(forKey: number) else { return nil }
        stream.number = nil
        return stream
    }

    /// Its turn comes behind the others.
    mutating func markSending(_ number: UInt32) {
        if isSending.insert(number).inserted { sending.append(number) }
    }

    /// Whose turn it is; it is marked no more.
    mutating func nextSending() -> (number: UInt32, stream: ExchangeStream)? {
        while let number = sending.popFirst() {
            isSending.remove(number)
            if let stream = streams[number] { return (number, stream) }
        }
        return nil
    }
}
