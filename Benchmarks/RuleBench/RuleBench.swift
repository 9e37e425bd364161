import BPF
import Firewall
import Glibc
import Kernel
import Packets
import RuleCompiler

/// Rule sets by kind and size: what a hook takes for a packet (the kernel's run-time statistics), what it takes to put
/// the rules in force and one more, and the memory of the image.
///
/// `RuleBench 10000 ports` measures only that.
@main
struct RuleBench {
  static let host = HostView(interfaces: [
    .init(index: 1, name: "lo", addresses4: [IPv4Address(rawValue: 0x7f00_0001)]),
    .init(index: 2, name: "em0", addresses4: [IPv4Address(rawValue: 0xc000_0202)]),
  ])
  private static let rounds = 5
  private static let packetsPerRound = 1000

  static func main() {
    do {
      let arguments = CommandLine.arguments
      let counts = arguments.count > 1 ? [Int(arguments[1]) ?? 0] : [0, 10, 100, 1000, 10_000, 100_000]
      let kinds =
        arguments.count > 2 ? RuleKind.allCases.filter { $0.rawValue == arguments[2] } : RuleKind.allCases
      let statistics = try ProgramRunTime.enable()
      print("| rules | kind | none, ns | last, ns | mix, ns | image, ms | one more, ms | KiB |")
      print("|---|---|---|---|---|---|---|---|")
      for count in counts {
        for kind in count == 0 ? [.mixed] : kinds { try measure(kind, count) }
      }
      _ = statistics.number
    } catch {
      print("bench: \(error)")
      exit(1)
    }
  }

  private static func measure(_ kind: RuleKind, _ count: Int) throws {
    var random = Numbers()
    var ruleSet = RuleSet(default: .allow)
    var matching: [BenchPacket] = []
    // Several rules to a number, where there are more than numbers.
    for index in 0..<count {
      let (text, packet) = kind.rule(index, &random)
      let rule = try Rule("deny \(text)", names: .builtIn)
      matching.append(packet)
      try ruleSet.add(rule.numbered(UInt16(1 + index * 60_000 / max(count, 1))))
    }
    var maps = try HookMaps(ruleCapacity: count + 2)
    let start = now()
    var image = RuleImage(ruleSet: ruleSet, host: host)
    let size = try ImageSize(holding: image, atLeast: maps.imageSize)
    if size > maps.imageSize { (maps.images, maps.imageSize) = (try size.makeMap(), size) }
    try LoadedImage(image, size: size).enforce(maps)
    let loaded = now() - start
    var more = ruleSet
    let before = now()
    try more.add(Rule("61000 deny ip from 172.31.255.254 to any", names: .builtIn))
    image = RuleImage(ruleSet: more, host: host)
    if try ImageSize(holding: image, atLeast: size) == size {
      try LoadedImage(image, size: size).enforce(maps)
    }
    let added = now() - before

    let environment = HookEnvironment(
      direction: .incoming, linkHeaderLength: 14, secret: 1, upcallInterface: 1)
    let hook = try Program("bench", RuleHook.compile(environment: environment, maps: maps))
    let background = (0..<packetsPerRound).map { _ in BenchPacket.background(&random).frame }
    let last = [matching.last?.frame ?? background[0]]
    let mix = background.enumerated().map { number, frame in
      number % 4 == 0 && count > 0 ? matching[Int(random.next(UInt32(count)))].frame : frame
    }
    print(
      "| \(count) | \(kind.rawValue) | \(try nanoseconds(hook, background)) | \(try nanoseconds(hook, last)) | "
        + "\(try nanoseconds(hook, mix)) | \(tenths(loaded)) | \(tenths(added)) | \(image.size / 1024) |")
  }

  /// The median of some rounds; each packet is another one, so that caches are as they are in use.
  private static func nanoseconds(_ hook: borrowing Program, _ frames: [[UInt8]]) throws -> Int {
    var context = [UInt8](repeating: 0, count: 192)
    context[40] = 1
    var results: [Int] = []
    for _ in 0..<rounds {
      let before = hook.runTime
      for index in 0..<packetsPerRound {
        _ = try hook.testRun(frame: frames[index % frames.count], context: context)
      }
      guard let before, let after = hook.runTime else { continue }
      results.append(Int(after.nanoseconds - before.nanoseconds) / Int(max(1, after.runs - before.runs)))
    }
    return results.sorted()[results.count / 2]
  }

  private static func now() -> UInt64 {
    var time = timespec()
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time)
    return UInt64(time.tv_sec) * 1_000_000_000 + UInt64(time.tv_nsec)
  }

  private static func tenths(_ nanoseconds: UInt64) -> String {
    let tenths = nanoseconds / 100_000
    return "\(tenths / 10).\(tenths % 10)"
  }
}

extension Rule {
  fileprivate func numbered(_ number: UInt16) -> Rule {
    var rule = self
    rule.number = number
    return rule
  }
}
