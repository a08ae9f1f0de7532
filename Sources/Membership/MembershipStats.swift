/// What the engine counted since its start.
package struct MembershipStats: Hashable, Sendable {
    /// Ordinary probes begun, and those without any answer.
    package var probes = 0
    package var failedProbes = 0
    /// Pings to members nobody here had reached yet.
    package var confirmingPings = 0
    /// Indirect pings carried out for others, and those dropped at the limit.
    package var relays = 0
    package var droppedRelays = 0
    /// Messages that made no sense here: for another name, of an unusable member, an incarnation out of bounds.
    package var ignoredMessages = 0
    /// Hearsay about new members that was dropped because the list is full.
    package var refusedMembers = 0
    /// Push/pulls merged, and those refused.
    package var pushPulls = 0
    package var refusedPushPulls = 0
    /// Accusations of this node that it contradicted.
    package var refutations = 0
    /// Members that this node began to suspect, by its own probes or on somebody's word, and those whose failure it noted.
    package var suspicions = 0
    package var failures = 0
    /// Times that this process stood still.
    package var pauses = 0

    /// Nothing yet.
    package init() {}
}
