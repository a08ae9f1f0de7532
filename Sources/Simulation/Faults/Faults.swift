internal import Transport

/// How often what goes wrong, while it goes wrong. All rates are per minute of virtual time and cluster unless said
/// otherwise; zero switches a fault off.
package struct Faults: Hashable, Sendable {
    /// Of each datagram, or of each segment of a stream, which then comes late.
    package var loss = 0.0
    /// Of each datagram.
    package var duplication = 0.0
    /// Of each datagram, or of each segment of a stream: bytes of it are damaged, as the checksum notices.
    package var corruption = 0.0
    /// One way.
    package var delay: ClosedRange<Duration> = .microseconds(100)...(.milliseconds(2))
    /// Of each message: it takes up to `tail` longer, so that others overtake it.
    package var tailRate = 0.0
    package var tail: Duration = .milliseconds(500)

    /// One node stops hearing another, which goes on hearing it.
    package var oneWayCuts = 0.0
    /// Two nodes cannot reach each other, though both reach a third.
    package var bridgeCuts = 0.0
    /// The cluster falls into two parts.
    package var splits = 0.0
    /// The cluster begins in two parts, of each run: nobody has ever met those of the other.
    package var earlySplits = 0.0
    /// Seeds are one host name with the addresses of all nodes, whether they run or not, of each run. Else they are the
    /// addresses of the first three.
    package var hostNames = 0.0
    /// Members that failed or left are remembered for seconds, as are the waits for them, and cuts last longer, of each run.
    package var shortMemory = 0.0
    /// How long cuts last there.
    static let longCutTime: ClosedRange<Duration> = .seconds(1)...(.seconds(30))
    /// How long a cut lasts.
    package var cutTime: ClosedRange<Duration> = .milliseconds(500)...(.seconds(25))

    /// A process dies and is started again.
    package var crashes = 0.0
    package var downTime: ClosedRange<Duration> = .milliseconds(100)...(.seconds(15))
    /// All processes die at once.
    package var powerLosses = 0.0
    /// Many processes are started again within a second.
    package var joinStorms = 0.0
    /// A process says farewell and is started again.
    package var leaves = 0.0
    /// A process says farewell for good, and its database is thrown away; another node takes its place.
    package var departures = 0.0
    /// A process stands still.
    package var pauses = 0.0
    package var pauseTime: ClosedRange<Duration> = .milliseconds(100)...(.seconds(8))
    /// The share of the nodes that ever stands still.
    package var pausedShare = 1.0
    /// The donor of a first sync dies in the middle of it, of each first sync.
    package var donorDeaths = 0.0

    /// A wall clock jumps, by up to a day, either way, and is set right after a while, while the others stay.
    package var clockJumps = 0.0
    /// A wall clock is wrong for good, by up to a day, of each run and each clock that may be.
    package var wrongClocks = 0.0
    /// Any clock may be wrong, of each run. Else fewer than half.
    package var anyClock = 0.0
    /// A wall clock stands still for a while.
    package var clockFreezes = 0.0
    /// How much a wall clock may be fast or slow for good, in parts per million.
    package var drift = 0
    /// How far wall clocks are apart from the start.
    package var clockSpread: Duration = .zero

    /// A disk needs up to `slowCommit` for each commit, for a while.
    package var slowDisks = 0.0
    package var slowCommit: Duration = .milliseconds(300)
    /// A disk refuses to commit for a while.
    package var fullDisks = 0.0
    /// Reads, writes and syncs of a disk fail now and then, for a while; with `StoreKind.sqlite`, as is the next.
    package var badDisks = 0.0
    /// A bit of what is stored changes.
    package var bitFlips = 0.0
    /// A bit of a todo's text changes on a disk: the file is whole for SQLite.
    package var textFlips = 0.0
    /// A node is stopped, and started on a copy of another's database; the operator notices and gives it a new one.
    package var copiedDatabases = 0.0
    /// A node is stopped, and started on a copy of its database of some time ago.
    package var restoredBackups = 0.0

    /// A node is started under another name, with its database and at its address.
    package var renames = 0.0
    /// Two nodes are started at each other's addresses.
    package var addressSwaps = 0.0
    /// A process dies, and its database is gone.
    package var lostDisks = 0.0
    /// A node goes for good, without a farewell, and nobody takes its place.
    package var goneNodes = 0.0
    /// The seeds go for good soon after the start, of each run.
    package var goneSeeds = 0.0
    /// A node starts while it reaches nobody, until it does not wait for others any more.
    package var lonelyStarts = 0.0

    /// Clients write in bursts of this many.
    package var bursts = 0.0
    package var burstWrites = 200
    /// All clients write at once, for about a second, and one node is too slow for it.
    package var overloads = 0.0
    package var overloadWrites = 2_000

    package init() {}

    /// A wall clock may be far off.
    var touchClocks: Bool { clockJumps > 0 || clockFreezes > 0 || wrongClocks > 0 }

    /// Packets are lost, late or doubled, and nothing else goes wrong.
    var onlyTouchPackets: Bool {
        var others = self
        (others.loss, others.duplication, others.corruption, others.tailRate) = (0, 0, 0, 0)
        (others.delay, others.tail, others.bursts, others.burstWrites) = (
            Faults().delay, Faults().tail, 0, Faults().burstWrites
        )
        return others == Faults()
    }

    /// No packet is lost but on paths that are cut, and nothing else goes wrong.
    var onlyTouchPaths: Bool {
        var others = self
        (others.oneWayCuts, others.bridgeCuts, others.splits, others.cutTime) = (0, 0, 0, Faults().cutTime)
        return others == Faults()
    }

    /// What the command line calls them.
    package static let presets: [String: Faults] = [
        "none": Faults(), "loss": loss, "cuts": cuts, "crashes": crashes,
        "pauses": pauses, "distant": distant, "clocks": clocks, "donors": donors, "bridges": bridges,
        "disks": disks, "names": names, "farewells": farewells, "moves": moves, "chaos": chaos,
    ]

    /// Faults whose rate can be set by name.
    package static let rates: [String: any WritableKeyPath<Faults, Double> & Sendable] = [
        "loss": \.loss, "duplication": \.duplication, "corruption": \.corruption, "tails": \.tailRate,
        "one-way-cuts": \.oneWayCuts, "bridge-cuts": \.bridgeCuts, "splits": \.splits, "crashes": \.crashes,
        "power-losses": \.powerLosses, "join-storms": \.joinStorms, "leaves": \.leaves, "departures": \.departures,
        "pauses": \.pauses,
        "donor-deaths": \.donorDeaths, "clock-jumps": \.clockJumps, "clock-freezes": \.clockFreezes,
        "wrong-clocks": \.wrongClocks, "any-clock": \.anyClock,
        "bad-disks": \.badDisks, "bit-flips": \.bitFlips, "text-flips": \.textFlips, "slow-disks": \.slowDisks,
        "full-disks": \.fullDisks,
        "copied-databases": \.copiedDatabases,
        "restored-backups": \.restoredBackups, "bursts": \.bursts, "overloads": \.overloads,
        "renames": \.renames, "address-swaps": \.addressSwaps, "lost-disks": \.lostDisks, "gone-nodes": \.goneNodes,
        "gone-seeds": \.goneSeeds,
        "lonely-starts": \.lonelyStarts, "short-memory": \.shortMemory, "early-splits": \.earlySplits,
        "host-names": \.hostNames,
    ]

    /// Rates that are shares, of packets or of starts; the others are per minute and cluster.
    package static let shares: Set<String> = [
        "loss", "duplication", "corruption", "tails", "donor-deaths", "early-splits", "host-names", "short-memory",
        "gone-seeds",
        "wrong-clocks", "any-clock",
    ]

    private static let loss = Faults {
        $0.loss = 0.05
        $0.duplication = 0.02
        $0.tailRate = 0.02
    }

    private static let cuts = Faults {
        $0.oneWayCuts = 2
        $0.bridgeCuts = 2
        $0.splits = 2
    }

    private static let crashes = Faults {
        $0.crashes = 6
        $0.powerLosses = 0.5
        $0.joinStorms = 0.5
        $0.leaves = 1
        $0.departures = 1
        $0.donorDeaths = 0.2
    }

    /// Nodes go while what they have acknowledged is on its way.
    private static let farewells = Faults {
        $0.loss = 0.1
        $0.departures = 8
        $0.leaves = 2
        $0.pauses = 2
        $0.cutTime = .milliseconds(500)...(.seconds(5))
        $0.oneWayCuts = 2
        $0.bursts = 2
    }

    private static let bridges = Faults { $0.bridgeCuts = 6 }

    private static let donors = Faults {
        $0.crashes = 8
        $0.donorDeaths = 0.8
        $0.downTime = .seconds(2)...(.seconds(25))
    }

    private static let pauses = Faults { $0.pauses = 8 }

    /// Far apart, so that something is under way whenever a node stands still.
    private static let distant = Faults {
        $0.delay = .milliseconds(20)...(.milliseconds(60))
        $0.pauses = 30
    }

    private static let clocks = Faults {
        $0.clockJumps = 6
        $0.clockFreezes = 2
        $0.wrongClocks = 0.3
        $0.anyClock = 0.2
        $0.splits = 1
        $0.crashes = 10
        $0.drift = 200
        $0.clockSpread = .milliseconds(500)
    }

    private static let disks = Faults {
        $0.slowDisks = 2
        $0.fullDisks = 1
        $0.badDisks = 1
        $0.bitFlips = 1
        $0.textFlips = 1
        $0.copiedDatabases = 0.3
        $0.restoredBackups = 0.3
        $0.crashes = 2
    }

    /// Hardly anything else, since whoever is started anew looks for everybody.
    private static let names = Faults {
        $0.hostNames = 1
        $0.earlySplits = 0.7
        $0.splits = 0.2
    }

    /// Nodes change their names and places, lose their disks, start alone, and go.
    private static let moves = Faults {
        $0.renames = 2
        $0.addressSwaps = 2
        $0.lostDisks = 1
        $0.goneNodes = 0.5
        $0.goneSeeds = 0.2
        $0.powerLosses = 0.5
        $0.lonelyStarts = 1
        $0.hostNames = 0.3
        $0.shortMemory = 0.5
        $0.splits = 1
        $0.leaves = 0.5
    }

    private static let chaos = Faults {
        $0.loss = 0.03
        $0.duplication = 0.02
        $0.tailRate = 0.02
        $0.corruption = 0.005
        $0.oneWayCuts = 1
        $0.bridgeCuts = 1
        $0.splits = 1
        $0.crashes = 3
        $0.powerLosses = 0.2
        $0.joinStorms = 0.2
        $0.leaves = 0.5
        $0.departures = 0.3
        $0.pauses = 3
        $0.donorDeaths = 0.2
        $0.clockJumps = 0.5
        $0.clockFreezes = 0.5
        $0.wrongClocks = 0.1
        $0.anyClock = 0.3
        $0.drift = 100
        $0.clockSpread = .milliseconds(200)
        $0.slowDisks = 1
        $0.fullDisks = 0.3
        $0.badDisks = 0.3
        $0.bitFlips = 0.2
        $0.textFlips = 0.2
        $0.copiedDatabases = 0.1
        $0.restoredBackups = 0.1
        $0.renames = 0.3
        $0.addressSwaps = 0.2
        $0.lostDisks = 0.1
        $0.goneNodes = 0.1
        $0.lonelyStarts = 0.2
        $0.shortMemory = 0.2
        $0.bursts = 1
        $0.overloads = 0.2
    }

    private init(_ set: (inout Faults) -> Void) { set(&self) }
}
