import Glibc
import Kernel
import Namespaces

/// Diverted against undiverted traffic between namespaces, side by side in one run: rounds of all variants one after
/// the other, medians with least and most.
@main
struct Bench {
  static func main() {
    do {
      try run()
    } catch {
      print("bench: \(error)")
      exit(1)
    }
  }

  private static func run() throws {
    guard geteuid() == 0 else {
      print("bench: needs root, for namespaces and divertd")
      exit(77)
    }
    let host = try BenchHost(queue: setting("NFQUEUE_PEER"))
    let rounds = max(1, setting("ROUNDS").flatMap { Int($0) } ?? 5)
    let only = setting("ONLY") ?? ""
    print(
      "Linux \(try readSmallFile("/proc/sys/kernel/osrelease").dropLast()), \(sysconf(CInt(_SC_NPROCESSORS_ONLN))) CPUs; medians of \(rounds) [least–most]; × is against undiverted in the same round\n"
    )
    for traffic in Traffic.all where only.isEmpty || traffic.title.contains(only) {
      var table = Table(traffic.title, unit: traffic.kind.unit, extra: traffic.kind.extra)
      for _ in 0..<rounds {
        for variant in host.variants {
          table.add(variant.name, try host.measure(variant, traffic))
        }
      }
      table.print()
    }
    print("memory, most resident: divertd \(host.daemonMemory) KiB, divert pass \(host.programMemory) KiB")
  }
}

/// A variable of the environment, if it says anything.
private func setting(_ name: String) -> String? {
  unsafe getenv(name).map { unsafe String(cString: $0) }.flatMap { $0.isEmpty ? nil : $0 }
}

enum Direction { case incoming, outgoing }

/// What is sent, and in which pass rules divert it.
struct Traffic {
  enum Kind {
    case flood, turns, stream

    var unit: String {
      switch self {
      case .flood: "k packets/s"
      case .turns: "µs"
      case .stream: "Mbit/s"
      }
    }

    var extra: String {
      self == .stream ? "CPU µs a kilobyte, all / program" : "CPU µs a packet, all / program"
    }
  }

  let title: String
  let kind: Kind
  let direction: Direction
  let port: UInt16

  var protocolName: String { kind == .stream ? "tcp" : "udp" }

  static let all = [
    Traffic(title: "64-byte UDP in", kind: .flood, direction: .incoming, port: 7002),
    Traffic(title: "64-byte UDP out", kind: .flood, direction: .outgoing, port: 7002),
    Traffic(title: "round trip on one CPU, diverted once", kind: .turns, direction: .incoming, port: 7004),
    Traffic(title: "one TCP stream in", kind: .stream, direction: .incoming, port: 7003),
    Traffic(title: "one TCP stream out", kind: .stream, direction: .outgoing, port: 7003),
  ]
}

enum Variant: CaseIterable {
  /// Between two hosts that know nothing of divertd.
  case undiverted
  /// Through the hooks, with a rule that does not match.
  case hooked
  case diverted
  /// Through a C program for BSD, which reads and writes packet by packet.
  case unmodified
  /// Through NFQUEUE, by the loop that its library shows, and by one that batches.
  case documentedQueue
  case carefulQueue

  var isQueue: Bool { self == .documentedQueue || self == .carefulQueue }

  var name: String {
    switch self {
    case .undiverted: "undiverted"
    case .hooked: "hooks, not diverted"
    case .diverted: "divert pass"
    case .unmodified: "BSD program"
    case .documentedQueue: "NFQUEUE, documented loop"
    case .carefulQueue: "NFQUEUE, batched"
    }
  }
}

struct Measurement {
  /// In the table's unit.
  var rate: Double
  /// CPU microseconds of the machine, and of the passing program.
  var cost: Double
  var programCost: Double
}

struct Table {
  private let title: String
  private let unit: String
  private let extra: String
  private var order: [String] = []
  private var rows: [String: [Measurement]] = [:]

  init(_ title: String, unit: String, extra: String) {
    (self.title, self.unit, self.extra) = (title, unit, extra)
  }

  mutating func add(_ name: String, _ measurement: Measurement) {
    if rows[name] == nil { order.append(name) }
    rows[name, default: []].append(measurement)
  }

  func print() {
    Swift.print("| \(title) | \(unit) | × | \(extra) |\n|---|---|---|---|")
    let base = rows[order[0]] ?? []
    for name in order {
      let row = rows[name] ?? []
      let ratios = zip(row, base).map { $0.rate / $1.rate }
      Swift.print(
        "| \(name) | \(spread(row.map(\.rate), digits: 0)) | \(spread(ratios, digits: 2)) | "
          + "\(decimal(median(row.map(\.cost)), 2)) / \(decimal(median(row.map(\.programCost)), 2)) |")
    }
    Swift.print()
  }

  private func median(_ values: [Double]) -> Double { values.sorted()[values.count / 2] }

  private func spread(_ values: [Double], digits: Int) -> String {
    let sorted = values.sorted()
    return
      "\(decimal(median(values), digits)) [\(decimal(sorted[0], digits))–\(decimal(sorted[sorted.count - 1], digits))]"
  }

  private func decimal(_ value: Double, _ digits: Int) -> String {
    var scale = 1.0
    for _ in 0..<digits { scale *= 10 }
    let scaled = Int((value * scale).rounded())
    guard digits > 0 else { return String(scaled) }
    let fraction = String(scaled % Int(scale))
    return "\(scaled / Int(scale))." + String(repeating: "0", count: digits - fraction.count) + fraction
  }
}
