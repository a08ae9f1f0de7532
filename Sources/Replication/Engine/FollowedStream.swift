internal import Transport

/// The stream of one origin as it arrives: what has come, what others say that there is, and how a hole in it is dealt with.
struct FollowedStream: Hashable, Sendable {
    let start: UInt64
    private(set) var window: StreamWindow
    /// Since when there has been a hole.
    private(set) var gapSince: EngineInstant?
    /// No pull goes out before this.
    private(set) var nextPull = EngineInstant.zero
    /// The greatest number that others have told of; see `noteHeard`.
    private var heardEnd: UInt64 = 0
    /// Walks with others have brought everything up to here.
    private(set) var coveredEnd: UInt64 = 0
    /// From where it is followed, as long as nothing but the first sync can bring what came earlier.
    private var opened: UInt64?
    /// Pulls since the last that helped.
    private var pulls = 0
    /// Something was asked for since the hole showed, and no walk has ended since.
    private var hasPulled = false

    /// What `noteGap` found.
    enum GapChange: Hashable {
        /// There is no hole, and was none.
        case none
        case opened
        case stays
        /// `afterPull`: it was pulls that closed the hole.
        case closed(afterPull: Bool)
    }

    /// What to do about a hole.
    enum PullStep: Hashable {
        case wait(until: EngineInstant)
        case ask([ClosedRange<UInt64>])
    }

    /// `isExpectant`: the first sync is to bring what came before.
    init(start: UInt64, window: StreamWindow, isExpectant: Bool = false) {
        self.start = start
        self.window = window
        if isExpectant { opened = window.head }
    }

    /// What was sent before the stream was followed may be missing.
    var lacksBeginning: Bool { opened ?? 0 > 0 }

    /// Something that exists has not arrived, as far as the stream itself or others say.
    var hasGap: Bool { window.hasGap || heardEnd > max(window.end, coveredEnd) }

    /// Notes an arrival. `isNew`: it is no duplicate. `hasMoved`: what was missing before it is here now.
    mutating func insert(_ sequence: UInt64) -> (isNew: Bool, hasMoved: Bool) {
        let head = window.head
        let isNew = window.insert(sequence)
        useCover()
        let hasMoved = window.head != head
        if hasMoved { pulls = 0 }
        return (isNew, hasMoved)
    }

    /// The origin says that `sequence` is the last it sent.
    mutating func noteEnd(_ sequence: UInt64) {
        window.noteEnd(sequence)
        useCover()
    }

    /// The first sync brings what was sent up to `sequence`. What was sent after that, and before the stream was followed, is
    /// missing.
    mutating func expect(upTo sequence: UInt64) {
        guard let opened, sequence < opened else { return }
        window.reopen(from: sequence, opened: opened)
        self.opened = sequence
    }

    /// A walk with another node has brought everything up to `sequence`. That moves the window no further than the stream's
    /// own numbers go.
    mutating func noteCovered(upTo sequence: UInt64) {
        expect(upTo: sequence)
        opened = nil
        coveredEnd = max(coveredEnd, sequence)
        useCover()
    }

    private mutating func useCover() {
        let sequence = min(coveredEnd, window.end)
        guard sequence > window.head else { return }
        // What was lost without a number may be later.
        window.repaired(upTo: sequence, lossCount: window.lossCount - 1)
        pulls = 0
    }

    /// Others say that the stream has come to `sequence`. Believed as far as a pull can ask; `false` when it is no news.
    mutating func noteHeard(_ sequence: UInt64) -> Bool {
        guard sequence > max(window.end, heardEnd, coveredEnd),
            sequence - window.end <= UInt64(ReplicationMessage.Pull.maxNumbers)
        else { return false }
        heardEnd = sequence
        return true
    }

    /// Pulls have brought nothing of what others told of, if that is all that is missing; `false` when it is not.
    mutating func forgetHeard() -> Bool {
        guard !window.hasGap else { return false }
        heardEnd = 0
        return true
    }

    /// A message that had arrived could not be stored.
    mutating func noteLost() { window.noteLost() }

    /// All that there is up to `sequence` is here, whatever was lost on the way.
    mutating func noteEqual(upTo sequence: UInt64) {
        opened = nil
        window.repaired(upTo: sequence, lossCount: window.lossCount)
    }

    /// A walk with the origin has ended well. What it repaired is of the stream that it began with.
    mutating func walkEnded(_ walk: WalkUnderWay) {
        if let end = walk.end, walk.start == start {
            opened = nil
            window.repaired(upTo: end, lossCount: walk.lossCount)
            pulls = 0
        }
        hasPulled = false
    }

    /// Notes whether there is a hole now. One that has opened waits for `planPulls`.
    mutating func noteGap(at now: EngineInstant) -> GapChange {
        guard hasGap else {
            guard gapSince != nil else { return .none }
            gapSince = nil
            return .closed(afterPull: hasPulled)
        }
        guard gapSince == nil else { return .stays }
        gapSince = now
        return .opened
    }

    /// A hole has opened: the first pull may go out at `instant`.
    mutating func planPulls(from instant: EngineInstant) {
        hasPulled = false
        pulls = 0
        nextPull = instant
    }

    /// Asks for what is missing, if so little is missing that a pull is worth it, and no more than `limit` times in a row;
    /// `nil` when it is a walk's turn. `timeout`: how long the answer may take.
    mutating func takePull(limit: Int, timeout: Duration, at now: EngineInstant) -> PullStep? {
        guard
            let missing = window.missing(limit: ReplicationMessage.Pull.maxNumbers, heardEnd: heardEnd),
            !missing.isEmpty
        else { return nil }
        guard now >= nextPull else { return .wait(until: nextPull) }
        guard pulls < limit else { return nil }
        pulls += 1
        hasPulled = true
        nextPull = now + timeout
        return .ask(missing)
    }
}
