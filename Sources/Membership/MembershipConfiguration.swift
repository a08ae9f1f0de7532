internal import Transport

/// The settings of a `MembershipEngine`. The defaults suit a local network and small clusters.
package struct MembershipConfiguration: Hashable, Sendable {
    /// Time between probes of successive members: the protocol period of SWIM §3.1.
    ///
    /// Default 0.5 s. Halving it about halves detection time and doubles probe traffic. Small clusters probe up to
    /// twice as often (`smallClusterCycle`).
    package var probeInterval: Duration = .milliseconds(500)

    /// The whole of one probe: direct, indirect and by stream. Lifeguard multiplies it with the local health.
    ///
    /// Default 0.5 s. Must leave room for an indirect round trip after `directProbeTimeout`, and for a helper's nack,
    /// which takes another `directProbeTimeout`.
    package var probeTimeout: Duration = .milliseconds(500)

    /// How long the direct ack is awaited before helpers and the stream are asked. Default 0.2 s.
    package var directProbeTimeout: Duration = .milliseconds(200)

    /// In clusters so small that this is possible at up to twice the ordinary rate (5 other members or fewer with the
    /// defaults), every member is probed once in this time, in a fixed order. Default 1.25 s.
    ///
    /// It makes detection in such clusters certain instead of likely: a crash is suspected by everyone within
    /// `smallClusterCycle + probeTimeout`, and failed `minimumSuspicion` after the first suspicion.
    package var smallClusterCycle: Duration = .milliseconds(1_250)

    /// Helpers that are asked for an indirect probe. Default 3.
    package var indirectProbeCount = 3

    /// Multiplier of the suspicion time (memberlist's `SuspicionMult`). Default 4; two less than this is the number of
    /// confirmations that bring a suspicion down to its minimum.
    package var suspicionMultiplier = 4

    /// How many times the minimum a suspicion lasts that nobody confirms. Default 6.
    package var suspicionMaximumMultiplier = 6

    /// No suspicion is shorter than this, however small the cluster. Default 3 s: with the time a probe takes before it,
    /// a member that was paused for 3 s has time left to refute.
    package var minimumSuspicion: Duration = .seconds(3)

    /// The local health runs from 0 to one less than this. Default 8, so that probes wait at most 8 times as long.
    package var localHealthLimit = 8

    /// Time between push/pulls with a random member, in clusters of up to 32; `Formulas.pushPullInterval` scales it.
    /// Default 30 s.
    package var pushPullInterval: Duration = .seconds(30)

    /// Time to the first push/pull after the start; each one doubles it, up to `pushPullInterval`. Default 1 s: of nodes
    /// that start together each may have missed news of some others, and need not wait for the regular ones to hear of
    /// them.
    package var firstPushPullInterval: Duration = .seconds(1)

    /// An `advance` that comes this much after `nextDeadline` shows that this process stood still. Default 0.25 s.
    package var pauseThreshold: Duration = .milliseconds(250)

    /// After such a pause the timers wait this long, so that what arrived meanwhile is handled first. Default 0.1 s.
    package var pauseGrace: Duration = .milliseconds(100)

    /// Most members known at once, of any status, this node included. Default 4,096.
    package var maxMembers = 4_096

    /// Most members known by hearsay only, whom nobody here has reached yet. Default 1,024.
    package var maxUnconfirmedMembers = 1_024

    /// Pings to unconfirmed members in each `confirmationInterval`; in clusters of more than 64 one for every eight members,
    /// where members speak of them. Default 8.
    package var confirmationsPerInterval = 8

    /// Default 0.1 s.
    package var confirmationInterval: Duration = .milliseconds(100)

    /// Pings that an unconfirmed member may leave unanswered before it is forgotten. Default 3.
    package var confirmationAttempts = 3

    /// How long a failed member is listed and tried again that holds no data. Default 24 h. One that does is for ever.
    package var failedRetention: Duration = .seconds(24 * 3_600)

    /// How long a member that left is listed. Default 30 s: long enough for older news about it to die out.
    package var leftRetention: Duration = .seconds(30)

    /// Indirect pings that are carried out for others at once; more are dropped. Default 256.
    package var maxRelays = 256

    /// Members that a leaving node tells directly, besides its broadcast. Default 32.
    package var leaveFanOut = 32

    /// How seeds and failed members are tried.
    package var joining = JoinConfiguration()

    /// The defaults.
    package init() {}

    /// Everything that is wrong, by key; empty when the engine can run with it.
    package func validate() -> [Fault] {
        var faults: [Fault] = []
        func require(_ holds: Bool, _ key: String, _ reason: String) {
            if !holds { faults.append(Fault(key: key, reason: reason)) }
        }
        let hour = Duration.seconds(3_600)
        require(probeInterval >= .milliseconds(10) && probeInterval <= hour, "probe_interval", "must be 0.01 s to 1 h")
        require(directProbeTimeout > .zero, "direct_probe_timeout", "must be above 0")
        require(
            probeTimeout >= directProbeTimeout * 2 && probeTimeout <= hour, "probe_timeout",
            "must be at least twice direct_probe_timeout, for the indirect round, and at most 1 h")
        require(smallClusterCycle > .zero, "small_cluster_cycle", "must be above 0")
        require((0...16).contains(indirectProbeCount), "indirect_probe_count", "must be 0 to 16")
        require((1...64).contains(suspicionMultiplier), "suspicion_multiplier", "must be 1 to 64")
        require((1...64).contains(suspicionMaximumMultiplier), "suspicion_maximum_multiplier", "must be 1 to 64")
        require(
            minimumSuspicion >= probeTimeout && minimumSuspicion <= hour, "minimum_suspicion",
            "must be at least probe_timeout and at most 1 h")
        require((1...64).contains(localHealthLimit), "local_health_limit", "must be 1 to 64")
        require(pushPullInterval >= .milliseconds(100), "push_pull_interval", "must be at least 0.1 s")
        require(
            firstPushPullInterval >= .milliseconds(100) && firstPushPullInterval <= pushPullInterval,
            "first_push_pull_interval", "must be at least 0.1 s and at most push_pull_interval")
        require(pauseThreshold > .zero, "pause_threshold", "must be above 0")
        require(
            pauseGrace >= .zero && pauseGrace < pauseThreshold, "pause_grace",
            "must be below pause_threshold, or timers would never fire on a machine that is always late")
        require((2...1_000_000).contains(maxMembers), "max_members", "must be 2 to 1000000")
        require(
            maxUnconfirmedMembers >= 1 && maxUnconfirmedMembers <= maxMembers, "max_unconfirmed_members",
            "must be 1 to max_members")
        require((1...1_000).contains(confirmationsPerInterval), "confirmations_per_interval", "must be 1 to 1000")
        require(confirmationInterval >= .milliseconds(1), "confirmation_interval", "must be at least 0.001 s")
        require((1...100).contains(confirmationAttempts), "confirmation_attempts", "must be 1 to 100")
        require(failedRetention > .zero, "failed_retention", "must be above 0")
        require(leftRetention > .zero, "left_retention", "must be above 0")
        require((1...65_536).contains(maxRelays), "max_relays", "must be 1 to 65536")
        require((0...1_024).contains(leaveFanOut), "leave_fan_out", "must be 0 to 1024")
        return faults + joining.validate()
    }

    /// One setting that cannot be.
    package struct Fault: Hashable, Sendable, CustomStringConvertible {
        package var key: String
        package var reason: String

        package init(key: String, reason: String) {
            self.key = key
            self.reason = reason
        }

        package var description: String { "\(key): \(reason)" }
    }
}

/// How `SeedJoiner` tries seeds, members known from earlier, and failed members.
package struct JoinConfiguration: Hashable, Sendable {
    /// After this long without an answer from anyone the node starts alone. Default 10 s.
    package var joinTimeout: Duration = .seconds(10)
    /// An operator's word: where all others refuse, this node is the cluster.
    package var isBootstrap = false
    /// A node with data whose seeds have all refused for this long opens. Default 0.5 s.
    package var refusalPeriod: Duration = .milliseconds(500)
    /// How long such a node waits besides for members that it was told of and is asking. Default 2 s: about as long as it
    /// takes to forget one that does not answer.
    package var hearsayPeriod: Duration = .seconds(2)
    /// Time to the first repetition; each one doubles it. Default 0.1 s.
    package var firstBackOff: Duration = .milliseconds(100)
    /// Longest time between tries until the start is decided, when every moment counts. Default 1 s.
    package var maxStartBackOff: Duration = .seconds(1)
    /// Longest time between tries of a seed afterwards, as far as `maxRetriesPerSecond` allows. Default 2 s.
    package var maxSeedBackOff: Duration = .seconds(2)
    /// The same of a failed member. Default 2 s: with a dial that was under way and fails, a cluster that was cut is
    /// whole again within 4 s.
    package var maxMemberBackOff: Duration = .seconds(2)
    /// Tries per second that begin after the start, all seeds and members together; a seed of several addresses is one.
    /// Default 8.
    ///
    /// And what one failed member gets from all others: they try it at most that often together, so that from 16 living
    /// members on the back-offs above grow with their number, up to `slowBackOff`.
    package var maxRetriesPerSecond = 8
    /// Longest time between tries of a member that is missing for more than `longFailed`, and in large clusters of any.
    /// Default 30 s.
    package var slowBackOff: Duration = .seconds(30)
    /// Default 1 h.
    package var longFailed: Duration = .seconds(3_600)
    /// Time to the next try of a seed that answered though no member lives at its address, or that leads back here.
    /// Default 10 s.
    package var settledSeedBackOff: Duration = .seconds(10)
    /// A try that was not reported back for this long counts as unanswered. Default 30 s.
    package var attemptLimit: Duration = .seconds(30)
    /// Most seeds; more are ignored. Default 256.
    package var maxSeeds = 256
    /// Most addresses of one seed that are tried. Default 16.
    package var maxAddressesPerSeed = 16
    /// Tries under way at once. Default 16.
    package var maxAttemptsAtOnce = 16

    /// The defaults.
    package init() {}

    /// Between the beginnings of two tries.
    var retryDistance: Duration { .seconds(1) / maxRetriesPerSecond }

    func validate() -> [MembershipConfiguration.Fault] {
        var faults: [MembershipConfiguration.Fault] = []
        func require(_ holds: Bool, _ key: String, _ reason: String) {
            if !holds { faults.append(.init(key: key, reason: reason)) }
        }
        require(joinTimeout >= .zero, "join_timeout", "must not be negative")
        require(refusalPeriod >= .zero, "refusal_period", "must not be negative")
        require(hearsayPeriod >= .zero, "hearsay_period", "must not be negative")
        require(firstBackOff >= .milliseconds(1), "first_back_off", "must be at least 0.001 s")
        require(maxStartBackOff >= firstBackOff, "max_start_back_off", "must be at least first_back_off")
        require(maxSeedBackOff >= firstBackOff, "max_seed_back_off", "must be at least first_back_off")
        require(maxMemberBackOff >= firstBackOff, "max_member_back_off", "must be at least first_back_off")
        require((1...1_000).contains(maxRetriesPerSecond), "max_retries_per_second", "must be 1 to 1000")
        require(
            slowBackOff >= max(maxSeedBackOff, maxMemberBackOff), "slow_back_off",
            "must be at least max_seed_back_off and max_member_back_off")
        require(longFailed > .zero, "long_failed", "must be above 0")
        require(settledSeedBackOff >= firstBackOff, "settled_seed_back_off", "must be at least first_back_off")
        require(attemptLimit > .zero, "attempt_limit", "must be above 0")
        require((1...4_096).contains(maxSeeds), "max_seeds", "must be 1 to 4096")
        require((1...256).contains(maxAddressesPerSeed), "max_addresses_per_seed", "must be 1 to 256")
        require((1...256).contains(maxAttemptsAtOnce), "max_attempts_at_once", "must be 1 to 256")
        return faults
    }
}
