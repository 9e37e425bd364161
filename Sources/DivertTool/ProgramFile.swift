import CSystem
import Glibc
import Kernel

/// What can be known of a program before it is started: whether the loader will load a library into it (ld.so(8)).
struct ProgramFile {
  let path: String

  /// As a shell finds it.
  ///
  /// - Throws: `ENOENT`, or `EACCES` where there is such a file, but none that can be executed.
  init(_ name: String) throws(SystemError) {
    guard !name.isEmpty else { throw SystemError(name, code: ENOENT) }
    let path = unsafe getenv("PATH").map { unsafe String(cString: $0) } ?? "/usr/bin:/bin"
    let candidates =
      name.contains("/")
      ? [name]
      : path.split(separator: ":", omittingEmptySubsequences: false).map {
        $0.isEmpty ? name : "\($0)/\(name)"
      }
    var code = ENOENT
    for candidate in candidates {
      var status = stat()
      guard unsafe stat(candidate, &status) == 0 else {
        if errno == EACCES { code = EACCES }
        continue
      }
      if status.st_mode & S_IFMT == S_IFREG, unsafe access(candidate, X_OK) == 0 {
        self.path = candidate
        return
      }
      code = EACCES
    }
    throw SystemError(name, code: code)
  }

  /// What a script's first line names, taken as it stands: nobody looks in PATH for it.
  private init(interpreter path: String) { self.path = path }

  /// Why a library cannot be loaded into it, and what to do; nil if it can, or if nothing can start it: `exec` tells
  /// that better.
  ///
  /// - Parameter scripts: How many scripts may still run each other, as execve(2) has it.
  func obstacle(scripts: Int = 5) throws(SystemError) -> String? {
    let file = Descriptor(
      owning: try retrying("read \(path)") { unsafe open(path, O_RDONLY | O_CLOEXEC) })
    if let interpreter = Self.scriptInterpreter(file) {
      guard scripts > 0, unsafe access(interpreter, X_OK) == 0 else { return nil }
      return try ProgramFile(interpreter: interpreter).obstacle(scripts: scripts - 1)
    }
    // Of scripts the kernel takes no notice of these bits.
    if isRaisingPrivilege {
      return "it is set-user-ID (or alike), and the loader loads nothing of ours into such programs; "
        + "run a copy without that bit, as root"
    }
    guard let image = ProgramImage(file) else { return nil }
    if !image.isOfThisMachine { return "it is built for another machine than `divert`" }
    if image.isGo {
      return
        "it is a Go program, which calls the kernel without the C library; use the `tee` and `divert` rules "
        + "with another program, or the divert(3) library by cgo"
    }
    guard let loader = image.loader else {
      return
        "it is linked statically, and nothing can be loaded into it; link it dynamically, or with -ldivert"
    }
    if loader.contains("ld-musl") {
      return "it is built for musl, and the library for glibc; build it for glibc"
    }
    return nil
  }

  /// Such programs get a clean environment (AT_SECURE).
  private var isRaisingPrivilege: Bool {
    var status = stat()
    guard unsafe stat(path, &status) == 0 else { return false }
    if status.st_mode & S_ISUID != 0, status.st_uid != getuid() { return true }
    if status.st_mode & S_ISGID != 0, status.st_gid != getgid() { return true }
    let hasCapabilities = unsafe getxattr(path, "security.capability", nil, 0) > 0
    return geteuid() != 0 && hasCapabilities
  }

  /// What runs it, if it is a script.
  var interpreter: String? {
    let number = unsafe open(path, O_RDONLY | O_CLOEXEC)
    return number < 0 ? nil : Self.scriptInterpreter(Descriptor(owning: number))
  }

  private static func scriptInterpreter(_ file: borrowing Descriptor) -> String? {
    let line = read(file, at: 0, count: 256).prefix { $0 != 10 }
    guard line.starts(with: Array("#!".utf8)) else { return nil }
    let words = line.dropFirst(2).split { $0 == 32 || $0 == 9 }
    return words.first.map { String(decoding: $0, as: UTF8.self) }
  }
}

/// A program's file in ELF (elf(5)), 64 bits, in this machine's byte order.
private struct ProgramImage {
  let isOfThisMachine: Bool
  /// What loads it (PT_INTERP), nil if nothing does.
  let loader: String?
  let isGo: Bool

  init?(_ file: borrowing Descriptor) {
    let header = read(file, at: 0, count: 64)
    guard header.count == 64, header.starts(with: [0x7f, 0x45, 0x4c, 0x46]) else { return nil }
    #if arch(x86_64)
      let machine = 62
    #else
      let machine = 183  // AArch64
    #endif
    isOfThisMachine = header[4] == 2 && header[5] == 1 && Self.number(header, 18, 2) == machine
    guard isOfThisMachine else {
      (loader, isGo) = (nil, false)
      return
    }
    let programs = Self.table(file, at: Self.number(header, 32, 8), header, 54)
    loader = programs.first { Self.number($0, 0, 4) == 3 }.map {
      let bytes = read(file, at: Self.number($0, 8, 8), count: min(Self.number($0, 32, 8), 4096))
      return String(decoding: bytes.prefix { $0 != 0 }, as: UTF8.self)
    }
    let sections = Self.table(file, at: Self.number(header, 40, 8), header, 58)
    let namesIndex = Self.number(header, 62, 2)
    guard namesIndex < sections.count else {
      isGo = false
      return
    }
    let names = Self.number(sections[namesIndex], 24, 8)
    let wanted = Array(".go.buildinfo".utf8) + [0]
    isGo = sections.contains {
      // What a damaged file says may be anything.
      read(file, at: names &+ Self.number($0, 0, 4), count: wanted.count) == wanted
    }
  }

  /// The entries of one of the two tables; size and number of entries stand in the header.
  private static func table(
    _ file: borrowing Descriptor, at offset: Int, _ header: [UInt8], _ sizes: Int
  ) -> [[UInt8]] {
    let (size, count) = (number(header, sizes, 2), number(header, sizes + 2, 2))
    guard size >= 40 else { return [] }
    let bytes = read(file, at: offset, count: size * count)
    return stride(from: 0, to: bytes.count - bytes.count % size, by: size).map {
      Array(bytes[$0..<$0 + size])
    }
  }

  private static func number(_ bytes: [UInt8], _ offset: Int, _ size: Int) -> Int {
    Int(
      truncatingIfNeeded: bytes[offset..<offset + size].reversed().reduce(0 as UInt64) {
        $0 << 8 | UInt64($1)
      })
  }
}

/// Bytes of a file; fewer where it ends.
private func read(_ file: borrowing Descriptor, at offset: Int, count: Int) -> [UInt8] {
  let number = file.number
  var status = stat()
  guard unsafe fstat(number, &status) == 0, (0..<Int(status.st_size)).contains(offset), count > 0 else {
    return []
  }
  var buffer = [UInt8](repeating: 0, count: min(count, Int(status.st_size) - offset))
  let result = unsafe buffer.withUnsafeMutableBytes {
    unsafe pread(number, $0.baseAddress, $0.count, off_t(offset))
  }
  return Array(buffer.prefix(max(0, result)))
}
