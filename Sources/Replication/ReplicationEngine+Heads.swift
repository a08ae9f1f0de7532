internal import Transport

/// Heads of others in heartbeats. In a large cluster changes spread as an epidemic and a heartbeat reaches only some peers:
/// a node that the epidemic missed would wait for one of the writer's own to see the hole. So everybody tells how far the
/// streams have come that reached it so lately.
///
/// It is hearsay: it leads to pulls from the writer, never to a walk, and is forgotten when they bring nothing. Told is what
/// arrived, not what was heard, so that an invented head goes no further than to whom it was sent.
extension ReplicationEngine {
    /// Heads to tell now: of all streams that moved lately, or of some of them by lot.
    mutating func movedHeads(at now: EngineInstant) -> [ReplicationMessage.StreamHead] {
        guard !moved.isEmpty else { return [] }
        moved = moved.filter { now - $0.value < configuration.headsInterval && windows[$0.key] != nil }
        var origins = moved.keys.sorted()
        if origins.count > configuration.maxHeads { origins.shuffle(using: &generator) }
        return origins.prefix(configuration.maxHeads).compactMap { origin in
            windows[origin].map { followed in
                .init(stream: StreamID(origin: origin, start: followed.start), head: followed.window.head)
            }
        }
    }

    /// A peer tells how far others have come. What is not followed yet its origin has to tell itself, and what lacks more
    /// than a pull may ask for shows by its own numbers.
    mutating func note(_ heads: [ReplicationMessage.StreamHead], at now: EngineInstant) {
        for told in heads.prefix(configuration.maxHeads) {
            let origin = told.stream.origin
            guard let followed = windows[origin], followed.start == told.stream.start, peer(origin) != nil,
                told.head > max(followed.window.end, followed.heardEnd),
                told.head - followed.window.end <= UInt64(ReplicationMessage.Pull.maxNumbers)
            else { continue }
            windows[origin]?.heardEnd = told.head
            noteGap(origin, at: now)
        }
    }
}
