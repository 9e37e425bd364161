import Captures
import DivertWire
import Firewall
import Glibc
import Kernel
import SimulatedHost

/// A replay, packet by packet.
struct ReplayRun: ~Copyable {
  private var replay: Replay
  private(set) var tally = ReplayTally()
  private(set) var notes: RuleNotes
  private var lines: VerdictLines?
  private var passed: PassedPackets?

  init(
    _ replay: Replay, of rules: RuleSet, lines: consuming VerdictLines?, passed: consuming PassedPackets?
  ) {
    self.replay = replay
    notes = RuleNotes(rules)
    self.lines = lines
    self.passed = passed
  }

  mutating func take(_ frame: CapturedFrame) throws(SystemError) {
    tally.frames += 1
    guard let offset = frame.linkType.packetOffset(in: frame.bytes) else {
      tally.other += 1
      return
    }
    let captured = frame.bytes.extracting(droppingFirst: offset)
    // A link may have padded the packet.
    let packet = captured.extracting(first: Reinjection.length(of: captured))
    let isCut = packet.byteCount == captured.byteCount
    try take(packet, wireLength: isCut ? frame.wireLength - offset : packet.byteCount, frame.time)
  }

  private mutating func take(_ packet: RawSpan, wireLength: Int, _ time: UInt64?) throws(SystemError) {
    let fate = replay.judge(packet, wireLength: wireLength, time: time)
    tally.count(fate, time)
    try lines?.append(tally.judged, replay.verdicts, fate)
    if fate == .accepted {
      let verdict = replay.verdicts[replay.verdicts.count - 1]
      try passed?.write(packet, wireLength: wireLength, time: time, verdict)
    }
    if lines == nil, fate != .unreadable {
      notes.note(packet, wireLength: wireLength, tally.judged, time, by: replay)
    }
  }

  /// What each rule has counted, by its slot.
  var counters: RuleCounters { replay.counters }

  mutating func flush() throws(SystemError) {
    try lines?.flush()
    try passed?.flush()
  }
}

/// What has become of the packets.
struct ReplayTally {
  var frames = 0
  var other = 0
  /// IP packets.
  private(set) var judged = 0
  private(set) var accepted = 0
  private(set) var denied = 0
  private(set) var diverted = 0
  private(set) var looped = 0
  private(set) var unreadable = 0
  private(set) var firstTime: UInt64?
  private(set) var lastTime: UInt64?

  mutating func count(_ fate: Replay.Fate, _ time: UInt64?) {
    judged += 1
    if let time {
      if firstTime == nil { firstTime = time }
      lastTime = time
    }
    switch fate {
    case .accepted: accepted += 1
    case .denied: denied += 1
    case .diverted: diverted += 1
    case .looped: looped += 1
    case .unreadable: unreadable += 1
    }
  }
}

/// The packets that passed, as a capture.
struct PassedPackets: ~Copyable {
  private var writer: CaptureWriter
  /// By the index of the rule that accepted.
  private let comments: [[UInt8]]

  init(to file: consuming Descriptor, _ path: String, _ rules: RuleSet) {
    writer = CaptureWriter(writing: file, "write \(path)")
    let printer = RulePrinter()
    comments = rules.entries.map { Array("rule \($0.rule.number): \(printer.text($0.rule))".utf8) }
  }

  mutating func write(
    _ packet: RawSpan, wireLength: Int, time: UInt64?, _ verdict: Verdict
  ) throws(SystemError) {
    try writer.write(packet, wireLength: wireLength, time: time ?? 0, comment: comments[verdict.next - 1])
  }

  mutating func flush() throws(SystemError) { try writer.flush() }
}
