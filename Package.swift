// swift-tools-version: 6.2
import PackageDescription

let commonSettings: [SwiftSetting] = [
  .enableExperimentalFeature("Lifetimes"),
  .enableUpcomingFeature("NonisolatedNonsendingByDefault"),
  .enableUpcomingFeature("ExistentialAny"),
  .enableUpcomingFeature("MemberImportVisibility"),
  .enableUpcomingFeature("InternalImportsByDefault"),
  .treatAllWarnings(as: .error),
]

/// Every unsafe expression in the sources says so; tests may build their bytes as they like.
let settings = commonSettings + [.strictMemorySafety()]

/// A room of the house: rooms may only depend on rooms listed before them.
func room(_ name: String, on dependencies: [Target.Dependency] = []) -> Target {
  .target(name: name, dependencies: dependencies, swiftSettings: settings)
}

func program(_ name: String, target: String? = nil, on dependencies: [Target.Dependency]) -> Target {
  .executableTarget(name: target ?? name, dependencies: dependencies, swiftSettings: settings)
}

func tests(of name: String, on dependencies: [Target.Dependency] = []) -> Target {
  .testTarget(
    name: "\(name)Tests", dependencies: [.byName(name: name)] + dependencies, swiftSettings: commonSettings)
}

let argumentParser: Target.Dependency = .product(name: "ArgumentParser", package: "swift-argument-parser")

let package = Package(
  name: "divert",
  products: [
    .library(name: "Divert", targets: ["Divert"]),
    .library(name: "SimulatedHost", targets: ["SimulatedHost"]),
    .library(name: "Packets", targets: ["Packets"]),
    .executable(name: "divertd", targets: ["divertd"]),
    .executable(name: "ipfw", targets: ["ipfw"]),
    .executable(name: "divert", targets: ["DivertTool"]),
    .library(name: "divert-preload", type: .dynamic, targets: ["DivertPreload"]),
  ],
  dependencies: [
    .package(url: "https://github.com/apple/swift-argument-parser", from: "1.8.2")
  ],
  targets: [
    .target(name: "CSystem"),
    room("Packets"),
    room("Firewall", on: ["Packets"]),
    room("Kernel", on: ["CSystem"]),
    room("Namespaces", on: ["Kernel", "CSystem"]),
    room("Captures", on: ["Packets", "Kernel"]),
    room("BPF", on: ["Kernel", "CSystem"]),
    room("RuleCompiler", on: ["Packets", "Firewall", "DivertWire", "BPF", "Kernel"]),
    room("DivertWire", on: ["Packets"]),
    room("DivertEngine", on: ["Packets", "Firewall", "DivertWire"]),
    room("Divert", on: ["Packets", "Kernel", "CSystem", "DivertWire"]),
    room("SimulatedHost", on: ["Packets", "Firewall", "DivertEngine", "DivertWire", "Kernel", "Divert"]),
    room(
      "LinuxHost",
      on: ["Packets", "Firewall", "DivertEngine", "RuleCompiler", "BPF", "DivertWire", "Kernel"]),
    program(
      "divertd",
      on: ["LinuxHost", "Firewall", "DivertEngine", "DivertWire", "Divert", "Kernel", argumentParser]),
    program("ipfw", on: ["Firewall", "DivertWire", "Kernel", "Divert"]),
    program(
      "divert", target: "DivertTool",
      on: [
        "Packets", "Firewall", "DivertWire", "Divert", "SimulatedHost", "Captures", "Kernel", "Namespaces",
        "CSystem",
        argumentParser,
      ]),
    .target(name: "CDivert", path: "Sources/libdivert/core"),
    .target(
      name: "DivertPreload", dependencies: ["CDivert"], path: "Sources/libdivert/preload",
      exclude: ["link.cfg"],
      // Loaded into programs that know nothing of Swift: neither its library nor its start-up code belongs there.
      linkerSettings: [
        .unsafeFlags([
          "-nostartfiles", "-no-toolchain-stdlib-rpath", "-Xclang-linker",
          "--config=\(Context.packageDirectory)/Sources/libdivert/preload/link.cfg",
        ])
      ]),
    tests(of: "Packets", on: ["TestSupport"]),
    tests(of: "BPF"),
    tests(
      of: "RuleCompiler", on: ["Packets", "Firewall", "DivertWire", "BPF", "Kernel", "TestSupport"]),
    tests(of: "Firewall", on: ["Packets", "TestSupport", "AllocationCounter"]),
    tests(of: "Kernel", on: ["TestSupport"]),
    tests(of: "DivertWire", on: ["Packets", "TestSupport"]),
    tests(of: "CDivert", on: ["DivertWire", "Packets", "TestSupport"]),
    tests(of: "DivertEngine", on: ["Packets", "Firewall", "DivertWire", "TestSupport"]),
    tests(of: "Divert", on: ["Packets", "DivertWire", "Kernel", "TestSupport", "AllocationCounter"]),
    tests(of: "Captures", on: ["Kernel", "TestSupport"]),
    tests(
      of: "DivertTool",
      on: [
        "Divert", "DivertWire", "SimulatedHost", "Packets", "Firewall", "Captures", "Kernel", "Namespaces",
        "TestSupport", "AllocationCounter",
      ]),
    tests(of: "ipfw", on: ["Firewall", "Namespaces", "TestSupport"]),
    tests(of: "SimulatedHost", on: ["Divert", "Packets", "Kernel", "TestSupport"]),
    tests(
      of: "LinuxHost",
      on: [
        "BPF", "Divert", "DivertEngine", "DivertWire", "Firewall", "Kernel", "Namespaces", "Packets",
        "TestSupport", "divertd", "ipfw",
        "DivertTool", "Traffic", "Pings", "BSDClient",
      ]),
    .executableTarget(name: "Pings", dependencies: ["Divert"], path: "Examples/Pings"),
    .executableTarget(name: "Traffic", path: "Tests/Traffic"),
    .executableTarget(name: "BSDClient", path: "Tests/BSDClient"),
    .executableTarget(
      name: "Bench", dependencies: ["Kernel", "Namespaces", "divertd", "ipfw", "DivertTool", "Traffic"],
      path: "Benchmarks/Bench", swiftSettings: commonSettings),
    .executableTarget(
      name: "EvaluatorBench",
      dependencies: [
        "Firewall", "Packets", "Captures", "Kernel", "Namespaces", "DivertTool", "AllocationCounter",
      ],
      path: "Benchmarks/EvaluatorBench", swiftSettings: commonSettings),
    .executableTarget(
      name: "RuleBench", dependencies: ["BPF", "Firewall", "Kernel", "Packets", "RuleCompiler"],
      path: "Benchmarks/RuleBench", swiftSettings: commonSettings),
    .executableTarget(name: "PreloadBench", path: "Benchmarks/PreloadBench"),
    .target(name: "AllocationCounter", path: "Tests/AllocationCounter"),
    .target(
      name: "TestSupport",
      dependencies: ["Packets", "Firewall", "Kernel", "DivertWire", "Divert", "CSystem"],
      path: "Tests/TestSupport",
      swiftSettings: commonSettings),
  ],
  swiftLanguageModes: [.v6]
)

// `make fuzz`: its `main` is libFuzzer's, which is there with `--sanitize=fuzzer` only.
if Context.environment["DIVERT_FUZZ"] != nil {
  package.targets += [
    .executableTarget(
      name: "Fuzz", dependencies: ["Captures", "Packets", "Firewall", "DivertWire"], path: "Fuzz",
      exclude: ["Corpus", "rules.dict"],
      swiftSettings: commonSettings)
  ]
}
