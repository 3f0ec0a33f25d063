# What drover does in Hyper-V. One process answers requests for as long as its standard input is open: a line of JSON
# each way, in pure ASCII, so that no code page can spoil it.
#
#   -> {"id":1,"op":"start","args":{"owner":"...","machine":"..."}}
#   <- {"id":1,"ok":true,"result":{...}}
#   <- {"id":1,"ok":false,"error":{"id":"...","category":"...","hresult":0,"message":"..."}}
#   <- {"event":"begun","id":1}        before it does it: what takes long does not hang
#   <- {"event":"changed","vm":"..."}
#
# What a request says is data and never becomes a part of a command. Errors are known by their id, category and HRESULT,
# never by their text, which Windows translates. States are told by name: their numbers differ between versions.
# Works in Windows PowerShell 5.1 and in PowerShell 7. Nothing here may be outside ASCII: 5.1 would misread it.

Set-StrictMode -Version 1.0
$ErrorActionPreference = 'Stop'
$ProgressPreference = 'SilentlyContinue'
$WarningPreference = 'SilentlyContinue'
$InformationPreference = 'SilentlyContinue'
$VerbosePreference = 'SilentlyContinue'

$virtualization = 'root/virtualization/v2'
$defaultSwitch = 'c08cb7b8-9b3c-408e-8e30-5e16a3aeb444'
$administrators = 'S-1-5-32-578'
$utf8 = New-Object -TypeName System.Text.UTF8Encoding -ArgumentList $false
$reader = New-Object -TypeName System.IO.StreamReader -ArgumentList @([Console]::OpenStandardInput(), $utf8)
$writer = New-Object -TypeName System.IO.StreamWriter -ArgumentList @([Console]::OpenStandardOutput(), $utf8)
$writer.NewLine = "`n"
$writer.AutoFlush = $true

function Send-Line($value) {
	$json = ConvertTo-Json -InputObject $value -Depth 10 -Compress
	$ascii = [regex]::Replace($json, '[^\x20-\x7e]', { param($match) '\u{0:x4}' -f [int][char]$match.Value })
	$writer.WriteLine($ascii)
}

function New-Failure([string]$id, [string]$category, [string]$message) {
	$exception = New-Object -TypeName System.Exception -ArgumentList $message
	New-Object -TypeName System.Management.Automation.ErrorRecord -ArgumentList @($exception, $id, $category, $null)
}

function Format-Failure($record) {
	$hresult = 0
	if ($record.Exception) { $hresult = [int64]$record.Exception.HResult }
	[ordered]@{
		id = [string]$record.FullyQualifiedErrorId
		category = [string]$record.CategoryInfo.Category
		hresult = $hresult
		message = [string]$record.Exception.Message
	}
}

# --- Machines of drover's are known by a line in their notes: whose they are, which record's, and whether they are whole.

function Get-Mark($vm) {
	$found = [regex]::Match([string]$vm.Notes, '(?m)^drover:([0-9a-f]{16}):([0-9a-f-]{36}):(making|ready)\r?$')
	if (-not $found.Success) { return $null }
	@{ owner = $found.Groups[1].Value; machine = $found.Groups[2].Value; phase = $found.Groups[3].Value }
}

function Set-Mark($vm, $a, [string]$phase) {
	$line = 'drover:' + $a.owner + ':' + $a.machine + ':' + $phase
	Hyper-V\Set-VM -VM $vm -Notes ("drover looks after this virtual machine by the next line.`n" + $line)
}

function Test-Mark($vm, $a) {
	$mark = Get-Mark $vm
	($null -ne $mark) -and ($mark.owner -eq $a.owner) -and ($mark.machine -eq $a.machine)
}

function Find-Machine($a) {
	@(Hyper-V\Get-VM | Where-Object -FilterScript { Test-Mark $_ $a }) | Select-Object -First 1
}

function Get-Machine($a) {
	$vm = Find-Machine $a
	if ($null -eq $vm) { throw (New-Failure 'drover.MachineMissing' 'ObjectNotFound' 'Hyper-V has no such virtual machine.') }
	$vm
}

function Get-StateName($vm) { $vm.State.ToString() }

function Format-State($vm) { [ordered]@{ vm = $vm.Id.ToString(); state = (Get-StateName $vm) } }

# Generation 2 machines have their disk on a SCSI controller: the first is the one that drover made.
function Get-DiskPath($vm) {
	$drive = @(Hyper-V\Get-VMHardDiskDrive -VM $vm) | Select-Object -First 1
	if ($null -eq $drive) { throw (New-Failure 'drover.DiskMissing' 'ObjectNotFound' 'The virtual machine has no disk.') }
	[string]$drive.Path
}

function Assert-Off($vm) {
	if ((Get-StateName $vm) -eq 'Off') { return }
	throw (New-Failure 'drover.NotOff' 'InvalidOperation' ('The virtual machine is ' + (Get-StateName $vm) + '.'))
}

# --- Looking

function Invoke-Health($a) {
	$system = CimCmdlets\Get-CimInstance -ClassName Win32_OperatingSystem
	$computer = CimCmdlets\Get-CimInstance -ClassName Win32_ComputerSystem
	$module = @(Get-Module -ListAvailable -Name Hyper-V) | Select-Object -First 1
	$service = Get-Service -Name vmms -ErrorAction SilentlyContinue
	$identity = [System.Security.Principal.WindowsIdentity]::GetCurrent()
	$principal = New-Object -TypeName System.Security.Principal.WindowsPrincipal -ArgumentList $identity
	$answer = [ordered]@{
		windows = [string]$system.Version
		sku = [int64]$system.OperatingSystemSKU
		hypervisor = [bool]$computer.HypervisorPresent
		module = ''
		service = ''
		elevated = $principal.IsInRole([System.Security.Principal.WindowsBuiltInRole]::Administrator)
		member = (@($identity.Groups | Where-Object -FilterScript { $_.Value -eq $administrators }).Count -gt 0)
		access = ''
		defaultSwitch = $false
	}
	if ($null -ne $module) { $answer.module = $module.Version.ToString() }
	if ($null -ne $service) { $answer.service = $service.Status.ToString() }
	if ($answer.module -eq '' -or $answer.service -ne 'Running') { return $answer }
	try {
		$null = Hyper-V\Get-VMHost
		$answer.access = 'yes'
		$answer.defaultSwitch = (@(Find-DefaultSwitch).Count -gt 0)
	} catch {
		$answer.access = [string]$_.FullyQualifiedErrorId
	}
	$answer
}

function Get-Addresses($adapters) {
	# What the guest tells of itself; what the host has seen of it where it tells nothing.
	$byMac = @{}
	foreach ($adapter in $adapters) {
		$byMac[[string]$adapter.MacAddress] = @($adapter.IPAddresses | Where-Object -FilterScript { $_ -match '^\d+\.\d+\.\d+\.\d+$' })
	}
	$silent = @($byMac.Keys | Where-Object -FilterScript { @($byMac[$_]).Count -eq 0 })
	if ($silent.Count -eq 0) { return $byMac }
	$neighbors = @(NetTCPIP\Get-NetNeighbor -AddressFamily IPv4 -ErrorAction SilentlyContinue)
	foreach ($neighbor in $neighbors) {
		$mac = ([string]$neighbor.LinkLayerAddress).Replace('-', '').ToUpperInvariant()
		if ($silent -notcontains $mac) { continue }
		if (@('Unreachable', 'Incomplete') -contains $neighbor.State.ToString()) { continue }
		$byMac[$mac] = @($byMac[$mac]) + [string]$neighbor.IPAddress
	}
	$byMac
}

function Invoke-List($a) {
	$ours = @(Hyper-V\Get-VM | Where-Object -FilterScript { $mark = Get-Mark $_; ($null -ne $mark) -and ($mark.owner -eq $a.owner) })
	if ($ours.Count -eq 0) { return [ordered]@{ machines = @() } }
	$adapters = @(Hyper-V\Get-VMNetworkAdapter -VM $ours)
	$running = @($ours | Where-Object -FilterScript { (Get-StateName $_) -eq 'Running' } | ForEach-Object -Process { $_.Id.ToString() })
	$addresses = Get-Addresses @($adapters | Where-Object -FilterScript { $running -contains $_.VMId.ToString() })
	$machines = foreach ($vm in $ours) {
		$id = $vm.Id.ToString()
		$mark = Get-Mark $vm
		$nics = foreach ($adapter in $adapters) {
			if ($adapter.VMId.ToString() -ne $id) { continue }
			$mac = [string]$adapter.MacAddress
			[ordered]@{ mac = $mac; switch = [string]$adapter.SwitchName; ipv4 = @($addresses[$mac] | Where-Object -FilterScript { $_ }) }
		}
		[ordered]@{
			vm = $id
			machine = $mark.machine
			phase = $mark.phase
			name = [string]$vm.Name
			state = Get-StateName $vm
			uptime = [math]::Floor($vm.Uptime.TotalSeconds)
			nics = @($nics)
		}
	}
	[ordered]@{ machines = @($machines) }
}

function Invoke-Inspect($a) {
	$vm = Get-Machine $a
	$id = $vm.Id.ToString()
	# Each machine runs in a process of its own, whose command line only administrators see.
	$worker = @(CimCmdlets\Get-CimInstance -ClassName Win32_Process -Filter "Name = 'vmwp.exe'" |
			Where-Object -FilterScript { ([string]$_.CommandLine).ToUpperInvariant().Contains($id.ToUpperInvariant()) }) | Select-Object -First 1
	$process = 0
	if ($null -ne $worker) { $process = [int64]$worker.ProcessId }
	[ordered]@{ pid = $process; state = (Get-StateName $vm) }
}

function Invoke-Networks($a) {
	$all = foreach ($each in @(Hyper-V\Get-VMSwitch)) {
		[ordered]@{
			id = $each.Id.ToString()
			name = [string]$each.Name
			type = $each.SwitchType.ToString()
			adapter = [string]$each.NetAdapterInterfaceDescription
		}
	}
	[ordered]@{ default = $defaultSwitch; switches = @($all) }
}

# Counters of the hypervisor, all machines' in three questions. Their names are not translated, unlike those of Get-Counter.
function Invoke-Sample($a) {
	$names = @{}
	$ours = @(Hyper-V\Get-VM | Where-Object -FilterScript { $mark = Get-Mark $_; ($null -ne $mark) -and ($mark.owner -eq $a.owner) })
	foreach ($vm in $ours) { $names[[string]$vm.Name] = (Get-Mark $vm).machine }
	$processors = @{}
	foreach ($each in @(CimCmdlets\Get-CimInstance -ClassName Win32_PerfRawData_HvStats_HyperVHypervisorVirtualProcessor -ErrorAction SilentlyContinue)) {
		$name = ([string]$each.Name) -replace ':Hv VP \d+$', ''
		$processors[$name] = [double]$processors[$name] + [double]$each.PercentTotalRunTime / 10000000
	}
	$received = @{}
	$sent = @{}
	foreach ($each in @(CimCmdlets\Get-CimInstance -ClassName Win32_PerfRawData_NvspNicStats_HyperVVirtualNetworkAdapter -ErrorAction SilentlyContinue)) {
		foreach ($name in $names.Keys) {
			if (-not ([string]$each.Name).StartsWith($name + '_')) { continue }
			$received[$name] = [double]$received[$name] + [double]$each.BytesReceivedPersec
			$sent[$name] = [double]$sent[$name] + [double]$each.BytesSentPersec
		}
	}
	$samples = foreach ($vm in $ours) {
		if ((Get-StateName $vm) -ne 'Running') { continue }
		$name = [string]$vm.Name
		$sample = [ordered]@{ machine = $names[$name]; assigned = [int64]$vm.MemoryAssigned; demand = [int64]$vm.MemoryDemand }
		if ($processors.ContainsKey($name)) { $sample.processor = $processors[$name] }
		if ($received.ContainsKey($name)) { $sample.received = $received[$name]; $sample.sent = $sent[$name] }
		$sample
	}
	[ordered]@{ samples = @($samples) }
}

# --- Making and changing

function Find-DefaultSwitch { Hyper-V\Get-VMSwitch -Id $defaultSwitch -ErrorAction SilentlyContinue }

function Get-DefaultSwitch {
	$found = @(Find-DefaultSwitch) | Select-Object -First 1
	if ($null -eq $found) { throw (New-Failure 'drover.NoDefaultSwitch' 'ObjectNotFound' 'There is no Default Switch.') }
	$found
}

function Add-Nic($vm, $nic) {
	$network = @(Hyper-V\Get-VMSwitch | Where-Object -FilterScript { $_.Name -eq $nic.switch }) | Select-Object -First 1
	if ($null -eq $network) { throw (New-Failure 'drover.NoSwitch' 'ObjectNotFound' 'There is no such switch.') }
	$there = @(Hyper-V\Get-VMNetworkAdapter -VM $vm | Where-Object -FilterScript { $_.MacAddress -eq $nic.mac })
	if ($there.Count -gt 0) { return }
	Hyper-V\Add-VMNetworkAdapter -VM $vm -SwitchName $network.Name -StaticMacAddress $nic.mac
}

# What a crash left between making it and marking it: of our own making by its name and by where it is.
function Remove-Unmarked($a) {
	foreach ($vm in @(Hyper-V\Get-VM | Where-Object -FilterScript { $_.Name -eq $a.name })) {
		if ($null -ne (Get-Mark $vm)) { continue }
		if (-not ([string]$vm.ConfigurationLocation).StartsWith($a.place, [System.StringComparison]::OrdinalIgnoreCase)) { continue }
		Hyper-V\Remove-VM -VM $vm -Force -Confirm:$false
	}
}

function Set-Hardware($vm, $a) {
	if ($null -ne $a.cpus) { Hyper-V\Set-VMProcessor -VM $vm -Count $a.cpus }
	if ($null -ne $a.memory) { Hyper-V\Set-VMMemory -VM $vm -DynamicMemoryEnabled $false -StartupBytes $a.memory }
}

function Invoke-Create($a) {
	$vm = Find-Machine $a
	if ($null -ne $vm) {
		if ((Get-Mark $vm).phase -eq 'ready') { return (Format-State $vm) }
		Hyper-V\Remove-VM -VM $vm -Force -Confirm:$false
	}
	Remove-Unmarked $a
	$network = Get-DefaultSwitch
	$vm = Hyper-V\New-VM -Name $a.name -Generation 2 -MemoryStartupBytes $a.memory -VHDPath $a.disk -Path $a.place -SwitchName $network.Name
	try {
		Set-Mark $vm $a 'making'
		$settings = @{ AutomaticStartAction = 'Nothing'; AutomaticStopAction = 'ShutDown'; SnapshotFileLocation = $a.place; SmartPagingFilePath = $a.place }
		# From Windows 10 1709 on, machines get checkpoints of their own at each start unless told not to.
		if ((Get-Command -Name Hyper-V\Set-VM).Parameters.ContainsKey('AutomaticCheckpointsEnabled')) { $settings.AutomaticCheckpointsEnabled = $false }
		Hyper-V\Set-VM -VM $vm @settings
		Set-Hardware $vm $a
		if ($a.secureBoot) { Hyper-V\Set-VMFirmware -VM $vm -EnableSecureBoot On -SecureBootTemplate MicrosoftUEFICertificateAuthority }
		else { Hyper-V\Set-VMFirmware -VM $vm -EnableSecureBoot Off }
		Hyper-V\Set-VMNetworkAdapter -VMNetworkAdapter (@(Hyper-V\Get-VMNetworkAdapter -VM $vm)[0]) -StaticMacAddress $a.mac
		foreach ($nic in @($a.nics)) { Add-Nic $vm $nic }
		Hyper-V\Add-VMDvdDrive -VM $vm -Path $a.seed
		Set-Mark $vm $a 'ready'
	} catch {
		$failure = $_
		Hyper-V\Remove-VM -VM $vm -Force -Confirm:$false -ErrorAction SilentlyContinue
		throw $failure
	}
	Format-State (Get-Machine $a)
}

function Invoke-Resize($a) {
	$vm = Get-Machine $a
	Assert-Off $vm
	if ($null -ne $a.disk) {
		$path = Get-DiskPath $vm
		$disk = Hyper-V\Get-VHD -Path $path
		if ([int64]$disk.Size -gt [int64]$a.disk) { throw (New-Failure 'drover.DiskShrinks' 'InvalidArgument' ($disk.Size.ToString())) }
		if ([int64]$disk.Size -lt [int64]$a.disk) {
			# A disk that a checkpoint stands on cannot change its size.
			if (([string]$disk.ParentPath) -ne '') { throw (New-Failure 'drover.DiskInChain' 'InvalidOperation' 'The disk has checkpoints.') }
			Hyper-V\Resize-VHD -Path $path -SizeBytes $a.disk
		}
	}
	Set-Hardware $vm $a
	Format-State $vm
}

function Invoke-AddNic($a) {
	$vm = Get-Machine $a
	Assert-Off $vm
	Add-Nic $vm $a.nic
	Format-State $vm
}

# A disk of its own out of the chain that checkpoints leave.
function Invoke-CopyDisk($a) {
	$vm = Get-Machine $a
	Assert-Off $vm
	Hyper-V\Convert-VHD -Path (Get-DiskPath $vm) -DestinationPath $a.to -VHDType Dynamic
	Format-State $vm
}

# --- Power

function Invoke-Start($a) {
	$vm = Get-Machine $a
	switch (Get-StateName $vm) {
		'Running' { }
		'Paused' { Hyper-V\Resume-VM -VM $vm }
		default { Hyper-V\Start-VM -VM $vm }
	}
	Format-State (Get-Machine $a)
}

# Asks the guest and returns at once. Stop-VM would wait, and with -Force might not leave it at asking.
function Invoke-ShutDown($a) {
	$vm = Get-Machine $a
	if ((Get-StateName $vm) -ne 'Running') { return (Format-State $vm) }
	$id = $vm.Id.ToString()
	$service = @(CimCmdlets\Get-CimInstance -Namespace $virtualization -ClassName Msvm_ShutdownComponent | Where-Object -FilterScript { $_.SystemName -eq $id }) | Select-Object -First 1
	if ($null -eq $service) { throw (New-Failure 'drover.GuestSilent' 'ResourceUnavailable' 'The guest cannot be asked yet.') }
	$answer = CimCmdlets\Invoke-CimMethod -InputObject $service -MethodName InitiateShutdown -Arguments @{ Force = $false; Reason = 'drover' }
	if ($answer.ReturnValue -ne 0) { throw (New-Failure 'drover.GuestSilent' 'ResourceUnavailable' ('The shutdown service answers ' + $answer.ReturnValue.ToString() + '.')) }
	Format-State (Get-Machine $a)
}

function Invoke-TurnOff($a) {
	$vm = Get-Machine $a
	$state = Get-StateName $vm
	if (@('Saved', 'FastSaved') -contains $state) { Hyper-V\Remove-VMSavedState -VM $vm -Confirm:$false }
	elseif ($state -ne 'Off') { Hyper-V\Stop-VM -VM $vm -TurnOff -Force -Confirm:$false }
	Format-State (Get-Machine $a)
}

function Invoke-Remove($a) {
	foreach ($vm in @(Hyper-V\Get-VM | Where-Object -FilterScript { Test-Mark $_ $a })) {
		if (@('Off', 'Saved', 'FastSaved') -notcontains (Get-StateName $vm)) { Hyper-V\Stop-VM -VM $vm -TurnOff -Force -Confirm:$false }
		Hyper-V\Remove-VM -VM $vm -Force -Confirm:$false
	}
	if ($null -ne $a.name) { Remove-Unmarked $a }
	[ordered]@{ removed = $true }
}

# --- Checkpoints, each under a name that no other has

function Find-Checkpoint($vm, $a) { @(Hyper-V\Get-VMSnapshot -VM $vm | Where-Object -FilterScript { $_.Name -eq $a.tag }) | Select-Object -First 1 }

function Invoke-SnapshotTake($a) {
	$vm = Get-Machine $a
	Assert-Off $vm
	if ($null -eq (Find-Checkpoint $vm $a)) { Hyper-V\Checkpoint-VM -VM $vm -SnapshotName $a.tag }
	Format-State $vm
}

function Invoke-SnapshotRestore($a) {
	$vm = Get-Machine $a
	Assert-Off $vm
	$checkpoint = Find-Checkpoint $vm $a
	if ($null -eq $checkpoint) { throw (New-Failure 'drover.SnapshotMissing' 'ObjectNotFound' 'There is no such checkpoint.') }
	Hyper-V\Restore-VMSnapshot -VMSnapshot $checkpoint -Confirm:$false
	$vm = Get-Machine $a
	$disk = Hyper-V\Get-VHD -Path (Get-DiskPath $vm)
	[ordered]@{ vm = $vm.Id.ToString(); state = (Get-StateName $vm); disk = [int64]$disk.Size }
}

function Invoke-SnapshotRemove($a) {
	$vm = Get-Machine $a
	$checkpoint = Find-Checkpoint $vm $a
	if ($null -ne $checkpoint) { Hyper-V\Remove-VMSnapshot -VMSnapshot $checkpoint -Confirm:$false }
	Format-State $vm
}

# --- Events: that something changed, not what it is now

function Invoke-Watch($a) {
	$query = "SELECT * FROM __InstanceModificationEvent WITHIN 1 WHERE TargetInstance ISA 'Msvm_ComputerSystem' AND TargetInstance.EnabledState <> PreviousInstance.EnabledState"
	$there = @(Get-EventSubscriber | Where-Object -FilterScript { $_.SourceIdentifier -eq 'drover' })
	if ($there.Count -eq 0) { $null = CimCmdlets\Register-CimIndicationEvent -Namespace $virtualization -Query $query -SourceIdentifier drover }
	[ordered]@{ watching = $true }
}

function Send-Events {
	foreach ($found in @(Get-Event | Where-Object -FilterScript { $_.SourceIdentifier -eq 'drover' })) {
		Remove-Event -EventIdentifier $found.EventIdentifier
		$target = $found.SourceEventArgs.NewEvent.TargetInstance
		Send-Line ([ordered]@{ event = 'changed'; vm = [string]$target.Name })
	}
}

function Invoke-Operation([string]$op, $a) {
	switch ($op) {
		'health' { return (Invoke-Health $a) }
		'list' { return (Invoke-List $a) }
		'inspect' { return (Invoke-Inspect $a) }
		'networks' { return (Invoke-Networks $a) }
		'sample' { return (Invoke-Sample $a) }
		'create' { return (Invoke-Create $a) }
		'resize' { return (Invoke-Resize $a) }
		'add-nic' { return (Invoke-AddNic $a) }
		'copy-disk' { return (Invoke-CopyDisk $a) }
		'start' { return (Invoke-Start $a) }
		'shut-down' { return (Invoke-ShutDown $a) }
		'turn-off' { return (Invoke-TurnOff $a) }
		'remove' { return (Invoke-Remove $a) }
		'snapshot-take' { return (Invoke-SnapshotTake $a) }
		'snapshot-restore' { return (Invoke-SnapshotRestore $a) }
		'snapshot-remove' { return (Invoke-SnapshotRemove $a) }
		'watch' { return (Invoke-Watch $a) }
		default { throw (New-Failure 'drover.NoSuchOperation' 'InvalidArgument' 'There is no such operation.') }
	}
}

function Invoke-Request([string]$line) {
	$id = 0
	try {
		$request = ConvertFrom-Json -InputObject $line
		$id = [int64]$request.id
		Send-Line ([ordered]@{ event = 'begun'; id = $id })
		# Whatever else a cmdlet may have put out comes before it.
		$result = @(Invoke-Operation ([string]$request.op) $request.args) | Select-Object -Last 1
		Send-Line ([ordered]@{ id = $id; ok = $true; result = $result })
	} catch {
		Send-Line ([ordered]@{ id = $id; ok = $false; error = (Format-Failure $_) })
	}
}

Send-Line ([ordered]@{ event = 'hello'; protocol = 1; powershell = $PSVersionTable.PSVersion.ToString(); pid = $PID; capabilities = @('events', 'sample') })
$pending = $reader.ReadLineAsync()
while ($true) {
	if (-not $pending.Wait(200)) { Send-Events; continue }
	$line = $pending.Result
	if ($null -eq $line) { break }
	if ($line.Trim() -ne '') { Invoke-Request $line }
	Send-Events
	$pending = $reader.ReadLineAsync()
}
