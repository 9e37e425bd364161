import Captures
import Firewall
import Glibc
import Kernel
import SimulatedHost

extension ReplayCommand {
  /// Reads what is to be read, in the order of the command line's errors, then replays to the end, to Ctrl-C, or to
  /// where the capture makes no sense; what has been found up to there is told in any case.
  func replayCapture() throws(ReplayError) {
    let way = try way
    let rules = try loadRules()
    let host = try host(rules, way)
    let input = try InputFile.open(capture)
    let signals: SignalDescriptor
    do throws(SystemError) { signals = try SignalDescriptor([SIGINT, SIGTERM]) } catch {
      throw ReplayError("\(error)", 71)
    }
    let passed = try passedPackets(rules, besides: input)
    var run = ReplayRun(host, of: rules, lines: try verdictLines(), passed: passed)
    let start = ContinuousClock.now
    var reader = try captureReader(input, until: signals.descriptor.number)
    let failure = replay(&reader, &run)
    do throws(SystemError) { try run.flush() } catch { throw failure ?? ReplayError("\(error)", 71) }
    if !verdicts {
      let summary = ReplaySummary(
        title: InputFile.title(capture), way: way, rules: rules, tally: run.tally, notes: run.notes.notes,
        end: reader.end, skipped: reader.skipped, duration: .now - start)
      do throws(SystemError) { try Self.print(summary.text(run.counters)) } catch {
        throw failure ?? ReplayError("\(error)", 71)
      }
    }
    if verdicts {
      for (linkType, count) in reader.skipped.sorted(by: { $0.key < $1.key }) {
        complain(
          "divert: \(InputFile.title(capture)): passed over \(count) of link type \(linkType), which cannot be read"
        )
      }
    }
    if case .cut(let offset) = reader.end {
      complain(
        "divert: \(InputFile.title(capture)): cut short within the record at byte \(offset); read up to there"
      )
    }
    if let failure { throw failure }
  }

  private static func print(_ summary: String) throws(SystemError) {
    var output = OutputBuffer(to: try .duplicate(of: STDOUT_FILENO), "write the summary")
    output.append(Array(summary.utf8))
    try output.flush()
  }

  /// - Returns: Why it could not go on.
  private func replay(_ reader: inout CaptureReader, _ run: inout ReplayRun) -> ReplayError? {
    let isFree = !verdicts || isatty(STDOUT_FILENO) == 0
    var progress = ReplayProgress(isShown: isFree && isatty(STDERR_FILENO) != 0)
    defer { progress.clear() }
    do throws(ReplayError) {
      while true {
        guard try advance(&reader) else { return nil }
        do throws(SystemError) { try run.take(reader.frame) } catch { throw ReplayError("\(error)", 71) }
        progress.show(run.tally.frames)
      }
    } catch {
      return error
    }
  }

  private func advance(_ reader: inout CaptureReader) throws(ReplayError) -> Bool {
    do throws(CaptureError) { return try reader.advance() } catch { throw InputFile.failure(capture, error) }
  }

  // MARK: What it is made of

  private func host(_ rules: RuleSet, _ way: Replay.Way) throws(ReplayError) -> Replay {
    do throws(SimulationError) {
      return try Replay(
        rules, interfaces: interface.map { ($0.name, $0.addresses) }, way,
        echoing: Set(port.filter(\.writesBack).map(\.port)))
    } catch {
      throw ReplayError("\(error)", 64)
    }
  }

  private func loadRules() throws(ReplayError) -> RuleSet {
    let text = try InputFile.text(of: rules)
    do throws(RuleError) {
      return try RuleFile.load(
        text: text, into: RuleSet(default: defaultAction == .allow ? .allow : .deny),
        lookUp: address(ofHost:versions:))
    } catch {
      let reason = error.text.split(separator: "\n").joined(separator: "; ")
      // 64 is for the use of this command, not for what a file says
      let status = error.status == .usage ? 65 : error.status.rawValue
      throw ReplayError("\(InputFile.title(rules)): \(reason)", status)
    }
  }

  private func captureReader(
    _ input: consuming Descriptor, until stop: CInt
  ) throws(ReplayError) -> CaptureReader {
    do throws(CaptureError) { return try CaptureReader(reading: input, until: stop) } catch {
      throw InputFile.failure(capture, error)
    }
  }

  private func verdictLines() throws(ReplayError) -> VerdictLines? {
    guard verdicts else { return nil }
    do throws(SystemError) {
      return VerdictLines(to: OutputBuffer(to: try .duplicate(of: STDOUT_FILENO), "write verdicts"))
    } catch {
      throw ReplayError("\(error)", 71)
    }
  }

  private func passedPackets(
    _ rules: RuleSet, besides input: borrowing Descriptor
  ) throws(ReplayError) -> PassedPackets? {
    guard let write else { return nil }
    return PassedPackets(to: try OutputFile.create(write, besides: input), write, rules)
  }
}
