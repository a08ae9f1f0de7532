// swift-tools-version: 6.2
import PackageDescription

let strict: [SwiftSetting] = [
    .swiftLanguageMode(.v6), .enableUpcomingFeature("ExistentialAny"),
    .enableUpcomingFeature("InternalImportsByDefault"), .enableUpcomingFeature("MemberImportVisibility"),
    .enableUpcomingFeature("NonisolatedNonsendingByDefault"), .treatAllWarnings(as: .error),
]

let deques: Target.Dependency = .product(name: "DequeModule", package: "swift-collections")

/// Generic code of a module that others call a million times a second is made for their types there.
let inlined: [SwiftSetting] = [.unsafeFlags(["-cross-module-optimization"], .when(configuration: .release))]

let package = Package(
    name: "auto-cluster-sync",
    products: [
        .executable(name: "auto-cluster-sync", targets: ["Executable"]),
        // The simulator alone, for scripts.
        .executable(name: "simulator", targets: ["Simulator"]),
        // For transports that live elsewhere: docs/writing-a-transport.md.
        .library(name: "AutoClusterSync", targets: ["AutoClusterSync"]),
        .library(name: "Transport", targets: ["Keys", "Transport", "TransportKit"]),
        .library(name: "TransportConformance", targets: ["TransportConformance"]),
        .library(name: "TransportUDP", targets: ["TransportUDP"]),
        .library(name: "TransportZMQ", targets: ["TransportZMQ"]),
    ],
    dependencies: [
        .package(url: "https://github.com/hummingbird-project/hummingbird", from: "2.28.1"),
        .package(url: "https://github.com/apple/swift-collections", from: "1.6.0"),
        .package(url: "https://github.com/apple/swift-nio", from: "2.101.2"),
        .package(url: "https://github.com/apple/swift-nio-extras", from: "1.35.2"),
        .package(url: "https://github.com/apple/swift-nio-http2", from: "1.46.0"),
        .package(url: "https://github.com/apple/swift-nio-ssl", from: "2.37.6"),
        .package(url: "https://github.com/apple/swift-argument-parser", from: "1.8.2"),
        .package(url: "https://github.com/apple/swift-http-types", from: "1.8.0"),
        .package(url: "https://github.com/apple/swift-log", from: "1.16.2"),
        .package(url: "https://github.com/apple/swift-metrics.git", from: "2.13.0"),
        .package(url: "https://github.com/swift-server/swift-service-lifecycle", from: "2.13.0"),
        .package(url: "https://github.com/jpsim/Yams", from: "6.2.2"),
    ],
    targets: [
        .systemLibrary(name: "CSQLite", providers: [.apt(["libsqlite3-dev"])]),
        .systemLibrary(name: "CLibZMQ", providers: [.apt(["libzmq3-dev"])]),
        .systemLibrary(name: "CSodium", providers: [.apt(["libsodium-dev"])]),
        .target(name: "CSockets"),
        // Where no Swift module imports them, nothing else tells the linker.
        .target(
            name: "CRawLimits", dependencies: ["CLibZMQ", "CSodium", "CSQLite"],
            linkerSettings: ["sodium", "sqlite3", "zmq"].map { .linkedLibrary($0) }),
        .target(name: "Runtime", exclude: ["DESIGN.md"], swiftSettings: strict),
        .target(name: "Reports", exclude: ["DESIGN.md"], swiftSettings: strict),
        .target(
            name: "Prometheus", dependencies: [.product(name: "CoreMetrics", package: "swift-metrics")],
            exclude: ["DESIGN.md"], swiftSettings: strict),
        .target(
            name: "Cluster", dependencies: ["Membership", "Replication", "Transport"], exclude: ["DESIGN.md"],
            swiftSettings: strict),
        .target(
            name: "Transport", dependencies: [deques], exclude: ["DESIGN.md"], swiftSettings: strict + inlined),
        .target(
            name: "TransportKit",
            dependencies: [
                "CSockets", "Keys", "Runtime", "Transport", deques,
                .product(name: "HeapModule", package: "swift-collections"),
            ],
            exclude: ["DESIGN.md"], swiftSettings: strict + inlined),
        .target(
            name: "TransportInMemory", dependencies: ["Transport", "TransportKit"], exclude: ["DESIGN.md"],
            swiftSettings: strict),
        .target(
            name: "Membership",
            dependencies: ["Transport", .product(name: "HeapModule", package: "swift-collections")],
            exclude: ["DESIGN.md"], swiftSettings: strict),
        .target(
            name: "Replication", dependencies: ["Transport", deques], exclude: ["DESIGN.md"], swiftSettings: strict),
        .target(
            name: "Store", dependencies: ["CSQLite", "Membership", "Replication", "Runtime", "Transport", deques],
            exclude: ["DESIGN.md"], swiftSettings: strict),
        .target(name: "Keys", dependencies: ["CSodium", "Transport"], exclude: ["DESIGN.md"], swiftSettings: strict),
        .target(
            name: "TransportZMQ",
            dependencies: ["CLibZMQ", "CSockets", "CSodium", "Keys", "Transport", "TransportKit", deques],
            exclude: ["DESIGN.md"], swiftSettings: strict),
        .target(
            name: "TransportUDP",
            dependencies: [
                "CSockets", "CSodium", "Keys", "Transport", "TransportKit", deques,
                .product(name: "NIOCore", package: "swift-nio"),
                .product(name: "NIOPosix", package: "swift-nio"),
            ], exclude: ["DESIGN.md"], swiftSettings: strict),
        .target(
            name: "Simulation",
            dependencies: [
                "CSQLite", "Cluster", "Membership", "Replication", "Reports", "Runtime", "Store", "Transport",
                "TransportKit", "TransportUDP",
                "TransportZMQ", deques,
            ],
            exclude: ["DESIGN.md"], swiftSettings: strict),
        .target(
            name: "Commands",
            dependencies: [
                "Reports", "Runtime", "Simulation", "Transport",
                .product(name: "ArgumentParser", package: "swift-argument-parser"),
            ], exclude: ["DESIGN.md"], swiftSettings: strict),
        .executableTarget(
            name: "Simulator",
            dependencies: ["Commands", .product(name: "ArgumentParser", package: "swift-argument-parser")],
            swiftSettings: strict),
        .target(
            name: "Benchmarks",
            dependencies: [
                "CRawLimits", "CSockets", "Replication", "Reports", "Runtime", "Store", "Transport",
            ], exclude: ["DESIGN.md"], swiftSettings: strict),
        .target(
            name: "AutoClusterSync",
            dependencies: [
                "Benchmarks", "Cluster", "Commands", "CSodium", "Keys", "Membership", "Prometheus", "Replication",
                "Reports", "Runtime", "Store", "Transport", "TransportKit", deques,
                .product(name: "ArgumentParser", package: "swift-argument-parser"),
                .product(name: "CoreMetrics", package: "swift-metrics"),
                .product(name: "HTTPTypes", package: "swift-http-types"),
                .product(name: "Hummingbird", package: "hummingbird"),
                .product(name: "HummingbirdCore", package: "hummingbird"),
                .product(name: "Logging", package: "swift-log"),
                .product(name: "NIOCore", package: "swift-nio"),
                .product(name: "NIOHPACK", package: "swift-nio-http2"),
                .product(name: "NIOHTTP1", package: "swift-nio"),
                .product(name: "NIOHTTP2", package: "swift-nio-http2"),
                .product(name: "NIOHTTPTypes", package: "swift-nio-extras"),
                .product(name: "NIOHTTPTypesHTTP1", package: "swift-nio-extras"),
                .product(name: "NIOHTTPTypesHTTP2", package: "swift-nio-extras"),
                .product(name: "NIOPosix", package: "swift-nio"),
                .product(name: "NIOSSL", package: "swift-nio-ssl"),
                .product(name: "NIOTLS", package: "swift-nio"),
                .product(name: "ServiceLifecycle", package: "swift-service-lifecycle"),
                .product(name: "UnixSignals", package: "swift-service-lifecycle"),
                .product(name: "Yams", package: "Yams"),
            ], path: "Sources/App", exclude: ["DESIGN.md"],
            resources: [
                "docs.html", "docs.css", "docs-model.js", "docs-request.js", "docs-view.js",
                "docs-answer.js", "docs-try.js", "docs-page.js",
            ].map { .embedInCode("REST/Docs/\($0)") }, swiftSettings: strict),
        .executableTarget(
            name: "Executable", dependencies: ["AutoClusterSync", "TransportKit", "TransportUDP", "TransportZMQ"],
            swiftSettings: strict),
        // The conformance suite of transports, for plugins outside of this package too.
        .target(
            name: "TransportConformance", dependencies: ["Transport", "TransportKit"], exclude: ["DESIGN.md"],
            swiftSettings: strict),
        .target(
            name: "TestSupport", dependencies: ["Cluster", "Replication", "Runtime", "Simulation", "Transport"],
            path: "Tests/Support",
            swiftSettings: strict),
        .testTarget(
            name: "FuzzTests",
            dependencies: [
                "AutoClusterSync", "Executable", "Keys", "Membership", "Replication", "Simulation", "Store",
                "TestSupport", "Transport", "TransportUDP", "TransportZMQ",
                .product(name: "HTTPTypes", package: "swift-http-types"),
                .product(name: "Hummingbird", package: "hummingbird"),
                .product(name: "HummingbirdCore", package: "hummingbird"),
                .product(name: "NIOCore", package: "swift-nio"),
            ], swiftSettings: strict),
        .testTarget(
            name: "StoreTests",
            dependencies: [
                "CSQLite", "Membership", "Replication", "Simulation", "Store", "TestSupport", "Transport",
            ],
            swiftSettings: strict),
        .testTarget(
            name: "TransportUDPTests", dependencies: ["CSockets", "Keys", "Transport", "TransportKit", "TransportUDP"],
            resources: [.copy("Fixtures")], swiftSettings: strict),
        .testTarget(
            name: "TransportZMQTests",
            dependencies: ["CLibZMQ", "CSockets", "Keys", "TestSupport", "Transport", "TransportKit", "TransportZMQ"],
            swiftSettings: strict),
        .testTarget(
            name: "TransportConformanceTests",
            dependencies: [
                "Keys", "TestSupport", "Transport", "TransportConformance", "TransportInMemory", "TransportUDP",
                "TransportZMQ",
            ], swiftSettings: strict),
        .testTarget(
            name: "AppTests",
            dependencies: [
                "AutoClusterSync", "Cluster", "Executable", "Keys", "Membership", "Prometheus", "Replication",
                "Runtime", "Store", "TestSupport", "Transport", "TransportKit", "TransportUDP", "TransportZMQ",
                .product(name: "ArgumentParser", package: "swift-argument-parser"),
                .product(name: "CoreMetrics", package: "swift-metrics"),
                .product(name: "HTTPTypes", package: "swift-http-types"),
                .product(name: "Hummingbird", package: "hummingbird"),
                .product(name: "HummingbirdCore", package: "hummingbird"),
                .product(name: "Logging", package: "swift-log"),
                .product(name: "NIOConcurrencyHelpers", package: "swift-nio"),
                .product(name: "NIOCore", package: "swift-nio"),
                .product(name: "NIOPosix", package: "swift-nio"),
                .product(name: "NIOSSL", package: "swift-nio-ssl"),
                .product(name: "ServiceLifecycle", package: "swift-service-lifecycle"),
            ], exclude: ["docs-test.js"], swiftSettings: strict),
        .testTarget(name: "ArchitectureTests", swiftSettings: strict),
        .testTarget(
            name: "PrometheusTests",
            dependencies: ["Prometheus", .product(name: "CoreMetrics", package: "swift-metrics")],
            swiftSettings: strict),
        .testTarget(
            name: "BenchmarksTests", dependencies: ["Benchmarks", "Reports", "Transport", "TransportInMemory"],
            swiftSettings: strict),
        .testTarget(name: "TransportTests", dependencies: ["Transport"], swiftSettings: strict),
        .testTarget(
            name: "TransportKitTests", dependencies: ["Keys", "Transport", "TransportKit"], swiftSettings: strict),
        .testTarget(
            name: "MembershipTests", dependencies: ["Membership", "TestSupport", "Transport"],
            resources: [.copy("Fixtures")],
            swiftSettings: strict),
        .testTarget(
            name: "ClusterTests",
            dependencies: ["Cluster", "Membership", "Replication", "Simulation", "TestSupport", "Transport"],
            swiftSettings: strict),
        .testTarget(
            name: "ReplicationTests", dependencies: ["Replication", "Simulation", "TestSupport", "Transport"],
            swiftSettings: strict),
        .testTarget(
            name: "SimulationTests",
            dependencies: ["Cluster", "Membership", "Replication", "Simulation", "Store", "Transport"],
            exclude: ["regressions.txt"],
            swiftSettings: strict),
        .testTarget(
            name: "ProcessTests",
            dependencies: [
                "AutoClusterSync", "CSQLite", "Executable", "Membership", "Runtime", "TestSupport", "Transport",
                "TransportKit",
                .product(name: "Yams", package: "Yams"),
            ], exclude: ["Shims", "delay.py", "schemathesis.toml"],
            swiftSettings: strict),
    ]
)
