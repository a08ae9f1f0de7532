// swift-tools-version: 6.2
import PackageDescription

let package = Package(
    name: "tcp-transport",
    products: [
        .executable(name: "tcp-node", targets: ["TCPNode"]),
        .library(name: "TransportTCP", targets: ["TransportTCP"]),
    ],
    dependencies: [.package(name: "auto-cluster-sync", path: "../..")],
    targets: [
        .target(name: "TransportTCP", dependencies: [.product(name: "Transport", package: "auto-cluster-sync")]),
        .executableTarget(
            name: "TCPNode",
            dependencies: [
                "TransportTCP",
                .product(name: "AutoClusterSync", package: "auto-cluster-sync"),
                .product(name: "TransportUDP", package: "auto-cluster-sync"),
            ]),
        .testTarget(
            name: "TransportTCPTests",
            dependencies: [
                "TCPNode", "TransportTCP",
                .product(name: "Transport", package: "auto-cluster-sync"),
                .product(name: "TransportConformance", package: "auto-cluster-sync"),
                .product(name: "TransportUDP", package: "auto-cluster-sync"),
                .product(name: "TransportZMQ", package: "auto-cluster-sync"),
            ]),
    ]
)
