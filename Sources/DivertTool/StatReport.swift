import DivertWire
import Kernel

/// A host's statistics as text: a table of the ports, and the totals.
struct StatReport {
  let statistics: HostStatistics
  /// Of all ports if nil; for one port there are no totals.
  let port: UInt16?
  let owners: SocketOwners
  let time: ContinuousClock.Instant
  private var before: (statistics: HostStatistics, seconds: Double)?

  init(_ statistics: HostStatistics, port: UInt16?, owners: SocketOwners, time: ContinuousClock.Instant) {
    (self.statistics, self.port, self.owners, self.time) = (statistics, port, owners, time)
  }

  /// This report with rates: what has been added since an earlier one.
  func following(_ earlier: StatReport) -> StatReport {
    var report = self
    report.before = (earlier.statistics, (time - earlier.time) / .seconds(1))
    return report
  }

  var text: String { port == nil ? table + "\n" + totals + stay + unruled : table }

  private var stay: String {
    statistics.staysInForce ? "the rules stay in force when divertd ends (--fail-closed)\n" : ""
  }

  private var unruled: String {
    guard !statistics.unruled.isEmpty else { return "" }
    let lines = statistics.unruled.map { "  \($0.name): \($0.reason)\n" }
    return "interfaces without rules:\n" + lines.joined()
  }

  // MARK: Ports

  private static let columns = [
    "port", "policy", "diverted", "teed", "waiting", "full", "in", "out", "refused", "options", "program",
  ]
  /// Of these, rates are told.
  private static let counted = 2..<8

  private var table: String {
    var header = Self.columns
    if before != nil {
      for column in Self.counted where header[column] != "waiting" { header[column] += "/s" }
    }
    var rows: [(port: UInt16, cells: [String])] = []
    for bound in statistics.bound where isWanted(bound.port) { rows.append((bound.port, cells(bound))) }
    for unbound in statistics.unbound where isWanted(unbound.port) {
      rows.append((unbound.port, cells(unbound)))
    }
    if let port, rows.isEmpty { rows.append((port, cells(UnboundPort(port: port, policy: .drop)))) }
    if rows.isEmpty { return "no divert port is bound, and no rule names one\n" }
    rows.sort { $0.port < $1.port }
    return TextTable([header] + rows.map(\.cells), rightAligned: [0] + Self.counted).text
  }

  private func isWanted(_ other: UInt16) -> Bool { port == nil || port == other }

  private func cells(_ bound: BoundPort) -> [String] {
    // Another socket on the same port has counts of its own.
    let before = before?.statistics.bound.first { $0.port == bound.port && $0.inode == bound.inode }
    func count(_ path: (BoundPort) -> UInt64) -> String {
      self.before == nil
        ? "\(path(bound))" : rate(path(bound) &- (before.map(path) ?? 0))
    }
    let programs = owners[bound.inode].map { "\($0.name) (\($0.identifier))" }
    return [
      "\(bound.port)", bound.policy.name, count(\.diverted), count(\.teed),
      "\(size(bound.waiting))/\(size(bound.receiveBuffer))", count(\.droppedFull),
      count { $0.written[.reinjectedIncoming] }, count { $0.written[.reinjectedOutgoing] },
      refused(bound.written), bound.options.names,
      programs.isEmpty ? "unknown" : programs.joined(separator: ", "),
    ]
  }

  private func cells(_ unbound: UnboundPort) -> [String] {
    let nothing = Array(repeating: "-", count: Self.columns.count - 3)
    return ["\(unbound.port)", unbound.policy.name] + nothing + ["nobody"]
  }

  private func refused(_ written: Counts<SocketCount>) -> String {
    let reasons = SocketCount.allCases.compactMap { count in
      count.refusal.flatMap { written[count] > 0 ? "\($0) \(written[count])" : nil }
    }
    return reasons.isEmpty ? "-" : reasons.joined(separator: ", ")
  }

  // MARK: Totals

  private var totals: String {
    var lines = ["since divertd was started:"]
    lines.append(
      "  "
        + told([
          ("diverted", .diverted), ("copied by tee", .teed), ("to nobody", .noPort),
          ("lost to a full buffer", .droppedFull), ("written back too often", .looped),
        ]))
    let (written, earlier) = (statistics.written, before?.statistics.written)
    let ways = [("in", SocketCount.reinjectedIncoming), ("out", .reinjectedOutgoing)].map { name, count in
      "\(name) \(amount(written[count], earlier?[count]))"
    }
    lines.append("  written back " + ways.joined(separator: ", ") + "; refused \(refused(written))")
    lines.append(
      "  "
        + told([
          ("judged by divertd", .upcalls), ("delivered by it", .delivered), ("unreadable", .unreadable),
          ("frames of strangers", .strangers),
        ]))
    lines.append(
      "  "
        + told([
          ("fragments that waited", .fragments), ("datagrams put together", .reassembled),
          ("timed out", .timedOut), ("evicted", .evicted), ("given up", .givenUp),
        ]))
    let refusals: [(String, HostCount)] = [
      ("dropped", .droppedFragments), ("too many", .tooManyFragments), ("overlapping", .overlappingFragments),
      ("duplicate", .duplicateFragments), ("oversize", .oversizeFragments), ("invalid", .invalidFragments),
      ("of mixed congestion", .mixedCongestion),
    ].filter { statistics.totals[$0.1] > 0 }
    if !refusals.isEmpty { lines.append("  of the fragments: " + told(refusals)) }
    let paths: [(String, HostCount)] = [
      ("no room", .noPath), ("written back too late", .lostPath), ("dropped by divertd", .unplaced),
    ].filter { statistics.totals[$0.1] > 0 }
    if !paths.isEmpty { lines.append("  without the path they were on: " + told(paths)) }
    return lines.joined(separator: "\n") + "\n"
  }

  private func told(_ counts: [(name: String, count: HostCount)]) -> String {
    counts.map { name, count in
      "\(name) \(amount(statistics.totals[count], before?.statistics.totals[count]))"
    }.joined(separator: ", ")
  }

  /// `1234`, or `1234 (12/s)`.
  private func amount(_ count: UInt64, _ earlier: UInt64?) -> String {
    guard let earlier, count > earlier else { return "\(count)" }
    return "\(count) (\(rate(count - earlier))/s)"
  }

  /// Rounded up: what has happened is not 0.
  private func rate(_ growth: UInt64) -> String {
    guard let seconds = before?.seconds, seconds > 0 else { return "\(growth)" }
    return "\(UInt64((Double(growth) / seconds).rounded(.up)))"
  }

  /// `512`, `12K`, `16M`: bytes, in units of 1024.
  private func size(_ bytes: UInt32) -> String {
    switch bytes {
    case ..<1024: "\(bytes)"
    case ..<(1 << 20): "\(bytes >> 10)K"
    default: "\(bytes >> 20)M"
    }
  }
}

extension UnboundPolicy {
  fileprivate var name: String {
    switch self {
    case .drop: "drop"
    case .pass: "pass"
    }
  }
}

extension SocketCount {
  /// What the writer is told, or would be; nil for what went on.
  fileprivate var refusal: String? {
    switch self {
    case .reinjectedIncoming, .reinjectedOutgoing: nil
    case .badFrame: "EINVAL"
    case .noInterface: "EADDRNOTAVAIL"
    case .noRoute: "EHOSTUNREACH"
    case .tooBig: "EMSGSIZE"
    case .denied: "EACCES"
    case .badChecksum: "checksum"
    case .noMulticastInterface: "ENETUNREACH"
    case .looped: "looped"
    }
  }
}

extension SocketOptions {
  fileprivate var names: String {
    let names = [
      (SocketOptions.fragments, "fragments"), (.time, "time"), (.mark, "mark"), (.owner, "owner"),
    ].compactMap { contains($0) ? $1 : nil }
    return names.isEmpty ? "-" : names.joined(separator: " ")
  }
}
