@echo off
rem Runs the built program on Windows.
if not exist "%~dp0..\dist\drover.js" (
  echo drover is not built yet: run npm start in its checkout once. 1>&2
  exit /b 1
)
node "%~dp0..\dist\drover.js" %*
