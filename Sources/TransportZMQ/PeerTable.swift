import Transport

/// The peers of `setPeers`: the channels that each takes, and what its last welcome said. Confined to the owner thread.
final class PeerTable {
    private struct Entry {
        var channels: Channels
        var hello: Hello?
    }

    /// Who a broadcast is for.
    struct Audience {
        /// Peers that take the channel.
        var listenerCount = 0
        /// Streams of the peers that do not.
        var deafStreams: [UInt64] = []
        /// The highest version that every peer understands, as far as the peers have said: one frame is for all.
        var version: UInt8
    }

    private var entries: [PeerAddress: Entry] = [:]

    /// Takes a new list; returns who has left it and who is new in it.
    func replace(with list: [Peer]) -> (gone: [PeerAddress], newcomers: [PeerAddress]) {
        let wanted = Dictionary(list.map { ($0.address, $0.channels) }) { _, last in last }
        let gone = entries.keys.filter { wanted[$0] == nil }
        for address in gone { entries[address] = nil }
        var newcomers: [PeerAddress] = []
        for (address, channels) in wanted {
            if entries[address] == nil { newcomers.append(address) }
            entries[address, default: Entry(channels: channels)].channels = channels
        }
        return (gone, newcomers)
    }

    var addresses: some Sequence<PeerAddress> { entries.keys }

    func contains(_ address: PeerAddress) -> Bool { entries[address] != nil }

    /// Whether the peer takes the channel; `nil` when the address is no peer's.
    func takes(_ channel: Channel, _ address: PeerAddress) -> Bool? { entries[address]?.channels.has(channel) }

    /// `false` when the address is no peer's.
    func note(_ hello: Hello, of address: PeerAddress) -> Bool {
        guard entries[address] != nil else { return false }
        entries[address]?.hello = hello
        return true
    }

    /// Who is meant by a broadcast that skips nobody.
    func audience(of channel: Channel, versions: ClosedRange<UInt8>) -> Audience {
        var audience = Audience(version: version(of: versions))
        for entry in entries.values {
            if entry.channels.has(channel) {
                audience.listenerCount += 1
            } else if let hello = entry.hello {
                audience.deafStreams.append(hello.stream)
            }
        }
        return audience
    }

    /// The highest of `versions` that every peer understands, as far as the peers have said.
    func version(of versions: ClosedRange<UInt8>) -> UInt8 {
        entries.values.reduce(versions.upperBound) { version, entry in
            min(version, entry.hello?.commonVersion(with: versions) ?? version)
        }
    }

    /// The streams of those that a broadcast skips, and how many of them would take the channel.
    func skipped(_ addresses: [PeerAddress], on channel: Channel) -> (streams: [UInt64], listenerCount: Int) {
        if addresses.isEmpty { return ([], 0) }
        let streams = addresses.compactMap { entries[$0]?.hello?.stream }
        return (streams, Set(addresses).count { takes(channel, $0) == true })
    }
}
