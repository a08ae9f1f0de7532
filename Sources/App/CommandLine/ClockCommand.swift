internal import ArgumentParser
internal import Commands
internal import Replication
internal import Runtime
internal import Store

/// What the clock and the stamps of a database file are, and how a file is put right whose clock was led ahead.
struct ClockCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "clock", abstract: "A database file's clock and stamps; puts them right after a wrong clock.",
        discussion: """
            Without --restamp nothing is changed: the file is only read, also while a node runs on it.

            --restamp --at TIME moves all stamps later than TIME, and the file's clock with them, into the 14 hours after \
            TIME, in their order. TIME lies at least 14 hours back, and is best a moment before the wrong clock was \
            first written with. Stop ALL nodes, restamp ALL files of the cluster with the SAME time, and start the nodes \
            then: a file that is left out holds stamps that beat every later write, for ever. Equal rows stay equal. A \
            copy is left as FILE.before-restamp. Set this machine's clock right first.
            """, helpNames: CommandLineNames.help)

    @Argument(help: ArgumentHelp("Database file of a node.", valueName: "file"))
    var file: String

    @Option(help: ArgumentHelp("Count, or move, stamps later than this: 2026-01-02T03:04:05Z.", valueName: "time"))
    var at: String?

    @Flag(help: "Move the stamps that are later than --at. The node must not run.")
    var restamp = false

    func run() throws {
        let now = WallClock.milliseconds()
        guard restamp else {
            let limit = try at.map { try milliseconds($0) } ?? now + WallReading.allowedSkewMilliseconds
            let survey = try StampSurvey.read(file, laterThan: HybridTime(milliseconds: limit, counter: .max))
            return print(ClockReport(survey, now: now, cut: at == nil ? nil : limit).text)
        }
        guard let at else { throw ValidationError("--restamp needs --at, the same for all files of the cluster") }
        let cut = try milliseconds(at)
        guard now - cut >= Restamping.leastAgeMilliseconds else {
            throw ValidationError(
                "--at: \(Timestamp.format(cut)) must lie at least 14 hours before now, \(Timestamp.format(now))")
        }
        let outcome = try Restamping(after: cut).run(on: file)
        print(
            """
            Restamped \(outcome.changedCount) rows of \(file); as it was before: \(outcome.copyPath)
            Before any node starts: all other files of the cluster, with --at \(Timestamp.format(cut))
            """)
    }

    private func milliseconds(_ text: String) throws -> Int64 {
        guard let milliseconds = Timestamp.parse(text), milliseconds >= 0 else {
            throw ValidationError("--at: \(text) is no time such as 2026-01-02T03:04:05Z")
        }
        return milliseconds
    }
}

/// A survey as people read it.
struct ClockReport {
    private let survey: StampSurvey
    private let now: Int64
    private let cut: Int64?

    /// `cut`: what rows were counted against, if not against `now`.
    init(_ survey: StampSurvey, now: Int64, cut: Int64?) {
        self.survey = survey
        self.now = now
        self.cut = cut
    }

    /// Lines, the last one without its end.
    var text: String {
        var lines = [
            "file          \(survey.path), schema version \(survey.schemaVersion)",
            "node id       \(survey.nodeID)",
            "clock bound   \(moment(survey.clockBound))",
            "stream start  \(survey.streamStart)",
            "wall clock    \(Timestamp.format(now)), of this machine",
            "",
            "kind       origin                 stamps  greatest",
        ]
        for group in survey.groups {
            let count = String(group.count)
            let own = group.origin == survey.nodeID ? "*" : " "
            lines.append(
                Self.padded(group.kind.rawValue, 10) + " \(group.origin)\(own) "
                    + String(repeating: " ", count: max(0, 10 - count.utf8.count)) + count + "  "
                    + moment(group.latest))
        }
        if survey.groups.contains(where: { $0.origin == survey.nodeID }) { lines.append("* this file's node") }
        let what =
            cut.map { "later than \(Timestamp.format($0)): --restamp moves these" }
            ?? "ahead of this machine's clock by more than \(WallReading.allowedSkewMilliseconds / 1_000) s"
        lines += ["", "\(survey.laterCount) of \(survey.rowCount) rows are stamped \(what)"]
        return lines.joined(separator: "\n")
    }

    private func moment(_ time: HybridTime) -> String {
        let shown = Timestamp.format(min(time.milliseconds, Row.createdRange.upperBound))
        let lead = time.milliseconds - now
        guard lead > 0 else { return shown }
        let seconds = Duration.milliseconds(lead).formattedLead
        return shown + ", ahead by \(seconds)"
    }

    private static func padded(_ text: String, _ width: Int) -> String {
        text + String(repeating: " ", count: max(0, width - text.utf8.count))
    }
}

extension Duration {
    /// Days, hours, minutes and seconds, as far as there are any.
    fileprivate var formattedLead: String {
        let seconds = components.seconds
        let parts = [(seconds / 86_400, "d"), (seconds / 3_600 % 24, "h"), (seconds / 60 % 60, "min")]
        let shown = parts.drop { $0.0 == 0 }.map { "\($0.0) \($0.1) " }.joined()
        return shown + "\(seconds % 60) s"
    }
}
