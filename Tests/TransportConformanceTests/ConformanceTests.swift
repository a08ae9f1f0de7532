import Testing
import TransportConformance

/// What every plugin promises, over every plugin.
@Suite("Every plugin keeps its promises")
struct ConformanceTests {
    @Suite("Messages", .serialized)
    struct Messages {
        @Test("What is promised of messages holds", arguments: Conformance.cases(.messages, over: plugins))
        func promise(_ promise: ConformanceCase) async throws { try await promise.run() }
    }

    @Suite("Exchanges", .serialized)
    struct Exchanges {
        @Test("What is promised of exchanges holds", arguments: Conformance.cases(.exchanges, over: plugins))
        func promise(_ promise: ConformanceCase) async throws { try await promise.run() }
    }

    @Suite("Keys, start and stop", .serialized)
    struct Lifecycle {
        @Test("What is promised of keys and ends holds", arguments: Conformance.cases(.lifecycle, over: plugins))
        func promise(_ promise: ConformanceCase) async throws { try await promise.run() }
    }

    @Suite("Figures", .serialized)
    struct Figures {
        @Test("What is promised of figures holds", arguments: Conformance.cases(.figures, over: plugins))
        func promise(_ promise: ConformanceCase) async throws { try await promise.run() }
    }

    @Suite("Strangers", .serialized)
    struct Strangers {
        @Test("What is promised of strangers holds", arguments: Conformance.cases(.strangers, over: plugins))
        func promise(_ promise: ConformanceCase) async throws { try await promise.run() }

        @Test("Plugins know each other for others", arguments: Conformance.meetings(of: plugins, with: allPlugins))
        func meeting(_ meeting: ConformanceCase) async throws { try await meeting.run() }
    }
}
