import AllocationCounter
import Firewall
import Glibc
import Packets

/// The evaluator alone: nanoseconds a packet by number of rules, for rules that match none of the packets and for
/// ones of which the middle one matches all; what it takes to load and change rules; and
/// packets a second of `divert replay`.
/// `EvaluatorBench 1000 hosts` runs only that, for a profiler.
@main
struct EvaluatorBench {
  static let host = HostView(interfaces: [
    .init(index: 1, name: "lo", addresses4: [IPv4Address(rawValue: 0x7f00_0001)]),
    .init(index: 2, name: "em0", addresses4: [IPv4Address(rawValue: 0xc000_0202)]),
  ])

  static func main() {
    do {
      try run()
    } catch {
      print("bench: \(error)")
      exit(1)
    }
  }

  private static func run() throws {
    if CommandLine.arguments.count == 3, let count = Int(CommandLine.arguments[1]),
      let kind = Kind(rawValue: CommandLine.arguments[2])
    {
      let rules = try kind.rules(count)
      let resolved = RuleImage(ruleSet: rules, host: host)
      for _ in 0..<100 { print(tenths(measure(resolved, rules).nanoseconds)) }
      return
    }
    print("| rules | kind | ns: none matches | ns: the middle one | KiB | allocations |")
    print("|---|---|---|---|---|---|")
    for count in [0, 1, 10, 100, 1000, 10_000] {
      for kind in Kind.allCases where count > 1 || kind == .mixed {
        let none = try kind.rules(count)
        var matching = none
        try matching.add(Rule("\(max(1, count / 2) * step(count)) allow udp from 192.0.2.0/24 to any in"))
        let image = RuleImage(ruleSet: none, host: host)
        let indexed = measure(image, none)
        let middle = measure(RuleImage(ruleSet: matching, host: host), matching)
        print(
          "| \(count) | \(kind.rawValue) | \(tenths(indexed.nanoseconds)) | \(tenths(middle.nanoseconds)) | "
            + "\(image.size / 1024) | \(indexed.allocations + middle.allocations) |")
      }
    }
    try load()
    try ReplayBench.run()
  }

  private static func step(_ count: Int) -> Int { min(100, 65_000 / max(1, count)) }

  /// A file of 10 000 rules, and one rule more.
  private static func load() throws(RuleError) {
    let rules = try Kind.mixed.rules(10_000)
    let printer = RulePrinter(names: .builtIn)
    let text = rules.entries.dropLast().map { "add \($0.rule.number) " + printer.text($0.rule) }
      .joined(separator: "\n")
    let start = now()
    var loaded = try RuleFile.load(text: text, into: RuleSet(default: .allow), names: .builtIn)
    let parsed = now()
    let image = RuleImage(ruleSet: loaded, host: host)
    let ready = now()
    try loaded.add(Rule("30000 deny ip from 10.77.77.77 to any", names: .builtIn))
    let changed = RuleImage(ruleSet: loaded, host: host)
    let again = now()
    precondition(image.size < changed.size)
    print(
      """

      10 000 rules: \(tenths(Double(parsed - start) / 1e6)) ms to read the file, \
      \(tenths(Double(ready - parsed) / 1e6)) ms to build the image, \
      \(tenths(Double(again - ready) / 1e6)) ms for one rule more, \(changed.size / 1024) KiB
      """)
  }

  // MARK: Measuring

  /// The median of some rounds, over packets that differ from each other. What counts is the processor's time, for
  /// others may use the machine.
  @inline(never)
  private static func measure(
    _ rules: RuleImage, _ ruleSet: RuleSet
  ) -> (nanoseconds: Double, allocations: UInt) {
    let packets = packets
    let pass = Pass(direction: .incoming, receiveInterface: 2)
    var counters = RuleCounters(for: ruleSet)
    var rounds: [Double] = []
    var checksum = 0
    var allocations: UInt = 0
    let repetitions = ruleSet.entries.count > 500 ? 1 : 20
    for round in 0..<7 {
      let before = allocation_count()
      let start = now()
      for _ in 0..<repetitions {
        for packet in packets {
          checksum &+= rules.evaluate(packet, pass, from: 0, counters: &counters).next
        }
      }
      let time = now() - start
      if round > 0 { allocations += allocation_count() - before }
      rounds.append(Double(time) / Double(repetitions * packets.count))
    }
    precondition(checksum != 0)
    return (rounds.sorted()[rounds.count / 2], allocations)
  }

  /// UDP from 192.0.2.0/24 to somewhere, ports above 32 767: none of the rules is for it.
  private static var packets: [PacketFields] {
    var random = Numbers()
    return (0..<1000).map { _ in
      var packet = PacketFields()
      (packet.version, packet.protocolNumber, packet.transport, packet.length) = (4, 17, .ports, 100)
      packet.source4 = IPv4Address(rawValue: 0xc000_0200 | random.next(256))
      packet.destination4 = IPv4Address(rawValue: 0xcb00_0000 | random.next(1 << 24))
      packet.sourcePort = UInt16(32_768 + random.next(32_000))
      packet.destinationPort = UInt16(32_768 + random.next(32_000))
      return packet
    }
  }

  private static func now() -> UInt64 {
    var time = timespec()
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time)
    return UInt64(time.tv_sec) * 1_000_000_000 + UInt64(time.tv_nsec)
  }

  private static func tenths(_ value: Double) -> String {
    let scaled = Int((value * 10).rounded())
    return "\(scaled / 10).\(scaled % 10)"
  }
}

/// The same numbers in every run (a linear congruential generator, Knuth's MMIX).
struct Numbers {
  private var state: UInt64 = 1

  mutating func next(_ bound: UInt32) -> UInt32 {
    state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
    return UInt32(truncatingIfNeeded: state >> 33) % bound
  }
}
