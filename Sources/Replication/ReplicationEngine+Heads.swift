internal import Transport

/// Heads of others in heartbeats. Where a heartbeat reaches only some peers, a node that the epidemic missed would wait
/// for one of the writer's own to see the hole; so everybody tells how far the streams have come that moved lately.
extension ReplicationEngine {
    /// Heads to tell now: of all streams that moved lately, or of some of them by lot.
    mutating func movedHeads(at now: EngineInstant) -> [ReplicationMessage.StreamHead] {
        guard !moved.isEmpty else { return [] }
        moved = moved.filter { now - $0.value < configuration.headsInterval && windows[$0.key] != nil }
        var origins = moved.keys.sorted()
        if origins.count > configuration.maxHeads { origins.shuffle(using: &generator) }
        return origins.prefix(configuration.maxHeads).compactMap { origin in
            windows[origin].map { followed in
                .init(stream: StreamID(origin: origin, start: followed.start), head: followed.window.end)
            }
        }
    }

    /// A peer tells how far others have come. What is not followed yet its origin has to tell itself.
    mutating func note(_ heads: [ReplicationMessage.StreamHead], at now: EngineInstant) {
        for told in heads {
            let origin = told.stream.origin
            guard let followed = windows[origin], followed.start == told.stream.start,
                told.head > followed.window.end, peer(origin) != nil
            else { continue }
            windows[origin]?.window.noteEnd(told.head)
            moved[origin] = now
            noteGap(origin, at: now)
        }
    }
}
