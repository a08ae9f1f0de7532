package import Membership
package import Replication
package import Transport

extension NodeCore {
    /// What happened outside.
    package enum Input: Sendable {
        /// Once, before anything else: the seeds as `host:port`, and the members of an earlier run.
        case begin(seeds: [String], knownMembers: [KnownMember])
        /// Messages of one channel. On `replication` at most as many as `wantedArrivals(on:)` says.
        case arrived([Arrival], on: Channel)
        /// The transport says that a peer gets this node's broadcasts from now on.
        case connected
        /// Rows that clients have written here, durable.
        case committed([EncodedRow])
        /// The store has merged what `.merge` asked for.
        case merged(ReplicationEngine.MergeToken, MergeOutcome)
        case mergeFailed(ReplicationEngine.MergeToken)
        /// A peer opened an exchange.
        case accepted(ExchangeID, from: PeerAddress)
        case exchange(ExchangeID, ExchangeInput)
        /// The answer to `.resolve`; no addresses when the name service failed.
        case resolved(String, [PeerAddress])
        /// Say farewell. The transport should run for `farewell` after this.
        case leave
        /// `nextDeadline` has come. Hand over what has arrived before this.
        case tick
    }

    /// What a driver is to do, in this order.
    package enum Effect: Sendable {
        case send([UInt8], on: Channel, to: PeerAddress)
        case broadcast([UInt8], on: Channel, BroadcastOptions)
        case setPeers([Peer])
        /// Open an exchange, then report `.opened` or `.ended`.
        case dial(ExchangeID, PeerAddress)
        case exchange(ExchangeID, ExchangeStep)
        /// The exchange is over for this node: close it, whatever is under way, and give it no more steps. What was sent may
        /// still arrive, and the peer sees a proper end.
        case abandon(ExchangeID)
        /// `.leave` is done: after `NodeCore.farewell` the process may end.
        case farewellSaid
        /// What the wall clock shows is held to this from now on, wherever the node stamps.
        case holdClock(ClockHold)
        /// Merge the rows, and report `.merged` or `.mergeFailed`.
        case merge(ReplicationEngine.MergeToken, [EncodedRow])
        /// Ask the name service, then report `.resolved`.
        case resolve(String)
        /// Keep these members for the next start. Nobody waits for it.
        case saveMembers([KnownMember])
        /// Clients are served from now on. Once.
        case openAPI
        case emit(NodeEvent)
    }
}
